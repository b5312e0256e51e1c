/* SPDX-License-Identifier: MIT
 *
 * Charts: golden terminal pictures, well-formed SVG, gaps, ranges, ticks, hostile names. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/study/plot.h"

static lehr_context *ctx;

static void setup(void) { cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK); }
static void teardown(void) { lehr_context_destroy(&ctx); }

TestSuite(plot, .init = setup, .fini = teardown);

static const double ramp_x[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
static const double up[] = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
static const double down[] = {0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0};

static void two_lines(lehr_plot *plot, lehr_plot_series series[2])
{
    series[0] = (lehr_plot_series){.name = "up", .x = ramp_x, .y = up, .count = 10};
    series[1] = (lehr_plot_series){.name = "down", .x = ramp_x, .y = down, .count = 10, .style = 1};
    lehr_plot_init(plot);
    plot->title = "Two lines";
    plot->x_label = "epoch";
    plot->y_label = "accuracy";
    plot->series = series;
    plot->series_count = 2;
    plot->width = 40;
    plot->height = 13;
}

static void expect_text(const char *got, const char *wanted)
{
    if (strcmp(got, wanted)) fprintf(stderr, "got:\n%s\nwanted:\n%s\n", got, wanted);
    cr_expect_str_eq(got, wanted);
}

Test(plot, terminal_ascii_is_golden)
{
    lehr_plot plot;
    lehr_plot_series series[2];
    char *text = NULL;
    two_lines(&plot, series);
    cr_assert_eq(lehr_plot_terminal(ctx, &plot, &text), LEHR_OK);
    expect_text(text, "               Two lines\n"
                      "accuracy\n"
                      "    |++                               **\n"
                      "    |  ++++++                   ******\n"
                      "    |        +++++         *****\n"
                      "0.5 +             +++++++**\n"
                      "    |         ******     ++++++\n"
                      "    |    ******                +++++\n"
                      "0.0 +****                           ++++\n"
                      "    ++------------------+---------------\n"
                      "     0                  5\n"
                      "                    epoch\n"
                      " * up  + down\n");
    lehr_plot_free(&text);
    cr_expect_null(text);
}

/* Equal factors of x are equal distances; an x of 0 is a gap. */
Test(plot, logarithmic_x)
{
    static const double x[] = {0, 0.001, 0.01, 0.1, 1, 10}, y[] = {9, 0, 1, 2, 3, 4};
    lehr_plot plot;
    lehr_plot_series series[2];
    char *text = NULL;
    two_lines(&plot, series);
    series[0] = (lehr_plot_series){.x = x, .y = y, .count = 6};
    plot.series_count = 1;
    plot.y_label = NULL;
    plot.height = 9;
    plot.log_x = 1;
    cr_assert_eq(lehr_plot_terminal(ctx, &plot, &text), LEHR_OK);
    expect_text(text, "               Two lines\n"
                      "  |                                 ****\n"
                      "  |                        *********\n"
                      "  |               *********\n"
                      "  |     **********\n"
                      "0 +*****\n"
                      "  ++-----------------+-----------------+\n"
                      " 0.001              0.1               10\n"
                      "                   epoch\n");
    lehr_plot_free(&text);
}

Test(plot, terminal_unicode_is_golden)
{
    lehr_plot plot;
    lehr_plot_series series[2];
    char *text = NULL;
    two_lines(&plot, series);
    plot.unicode = 1;
    cr_assert_eq(lehr_plot_terminal(ctx, &plot, &text), LEHR_OK);
    expect_text(text, "               Two lines\n"
                      "accuracy\n"
                      "    │⠢⠤⣀⡀                           ⢀⣀⠤●\n"
                      "    │   ⠈▲⠒⠤⣀⡀                 ⢀●⠤⠖⠊⠁\n"
                      "    │        ⠈⠉⠒▲⢄⣀       ⣀⡠⠤⠒⠉⠁\n"
                      "0.5 ┤              ⠉⠑⣒⣤⣒●⠉\n"
                      "    │          ⢀●⠤⠒⠊⠉   ▲⠑⠒⠤⢄⡀\n"
                      "    │     ⣀⡤⠔⠒⠉⠁             ⠈⠉⠒▲⠤⣀\n"
                      "0.0 ┤⣀⠤⠔⠒●                         ⠉⠒⠢⠤▲\n"
                      "    └┬──────────────────┬───────────────\n"
                      "     0                  5\n"
                      "                    epoch\n"
                      " ● up  ▲ down\n");
    lehr_plot_free(&text);
    plot.color = 1;
    cr_assert_eq(lehr_plot_terminal(ctx, &plot, &text), LEHR_OK);
    cr_expect(strstr(text, "\x1b[38;5;33m") && strstr(text, "\x1b[38;5;166m"));
    lehr_plot_free(&text);
}

Test(plot, terminal_keeps_within_its_size)
{
    lehr_plot plot;
    lehr_plot_series series[2];
    two_lines(&plot, series);
    for (uint32_t width = 24; width <= 200; width += 11) {
        char *text = NULL;
        unsigned lines = 0;
        plot.width = width;
        plot.height = 10 + width / 8;
        cr_assert_eq(lehr_plot_terminal(ctx, &plot, &text), LEHR_OK);
        for (char *line = text, *end; *line; line = end + 1, lines++) {
            end = strchr(line, '\n');
            cr_assert_not_null(end);
            cr_expect_leq((uint32_t)(end - line), width, "width %u: %.*s", width, (int)(end - line),
                          line);
        }
        cr_expect_eq(lines, plot.height);
        lehr_plot_free(&text);
    }
}

/* Writes the SVG and lets xmllint read it; false where xmllint is not installed. */
static bool well_formed(const char *svg)
{
    char path[] = "/tmp/lehr-plot-XXXXXX", command[128];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, svg, strlen(svg)), (ssize_t)strlen(svg));
    close(fd);
    bool present = system("command -v xmllint >/dev/null 2>&1") == 0;
    snprintf(command, sizeof command, "xmllint --noout %s", path);
    if (present) cr_expect_eq(system(command), 0, "not well-formed: %s", svg);
    unlink(path);
    return present;
}

Test(plot, svg_holds_every_series_and_no_reference)
{
    lehr_plot plot;
    lehr_plot_series series[2];
    char *svg = NULL;
    double low[10], high[10];
    for (int i = 0; i < 10; i++) {
        low[i] = up[i] - 0.05;
        high[i] = up[i] + 0.05;
    }
    two_lines(&plot, series);
    plot.width = plot.height = 0;
    series[0].low = low;
    series[0].high = high;
    cr_assert_eq(lehr_plot_svg(ctx, &plot, &svg), LEHR_OK);
    cr_expect(strstr(svg, "<title>Two lines</title>") && strstr(svg, "role=\"img\""));
    cr_expect(strstr(svg, ">up</text>") && strstr(svg, ">down</text>"));
    cr_expect(strstr(svg, ">epoch</text>") && strstr(svg, ">accuracy</text>"));
    cr_expect(strstr(svg, "class=\"lp-b\""), "band");
    cr_expect(strstr(svg, "prefers-color-scheme:dark"));
    cr_expect_null(strstr(svg, "href"));
    cr_expect_null(strstr(svg, "url("));
    cr_expect_null(strstr(svg, "nan"));
    /* First and last point of the rising line: lower left and upper right of the area. */
    cr_expect(strstr(svg, "M0.0 "));
    bool checked = well_formed(svg);
    lehr_plot_free(&svg);
    if (!checked) cr_skip_test("xmllint is not installed: well-formedness not checked");
}

Test(plot, svg_survives_hostile_text)
{
    lehr_plot plot;
    lehr_plot_series series[2];
    char *svg = NULL, *text = NULL;
    two_lines(&plot, series);
    plot.title = "a<b & \"c\" \x01 \xff \xc3";
    series[0].name = "</svg><script>alert(1)</script>";
    series[1].name = "caf\xc3\xa9 \xe2\x80\x94 \xf0\x9f\x98\x80 \xef\xbf\xbe";
    cr_assert_eq(lehr_plot_svg(ctx, &plot, &svg), LEHR_OK);
    cr_expect_null(strstr(svg, "<script"));
    cr_expect(strstr(svg, "a&lt;b &amp; &quot;c&quot; ? ? ?"));
    cr_expect(strstr(svg, "caf\xc3\xa9"));
    cr_assert_eq(lehr_plot_terminal(ctx, &plot, &text), LEHR_OK);
    cr_expect_null(strchr(text, 1));
    cr_expect_null(strchr(text, 0xff));
    bool checked = well_formed(svg);
    lehr_plot_free(&svg);
    lehr_plot_free(&text);
    if (!checked) cr_skip_test("xmllint is not installed: well-formedness not checked");
}

/* NaN, infinities, nothing at all, one point, a constant: drawn without nan in the output. */
Test(plot, odd_data_is_drawn)
{
    static const double gaps[] = {0.1, NAN, 0.3, INFINITY, 0.5, -1, 0, 0.8, -INFINITY, 1.0};
    static const double flat[] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3};
    static const double none[] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    const double *const data[] = {gaps, flat, none, gaps, none};
    const size_t counts[] = {10, 10, 10, 1, 0};
    for (size_t i = 0; i < 5; i++)
        for (uint32_t log_y = 0; log_y < 2; log_y++) {
            lehr_plot plot;
            lehr_plot_series s = {.name = "s", .x = ramp_x, .y = data[i], .count = counts[i]};
            char *svg = NULL, *text = NULL;
            lehr_plot_init(&plot);
            plot.series = &s;
            plot.series_count = 1;
            plot.log_y = log_y;
            cr_assert_eq(lehr_plot_svg(ctx, &plot, &svg), LEHR_OK);
            cr_assert_eq(lehr_plot_terminal(ctx, &plot, &text), LEHR_OK);
            cr_expect_null(strstr(svg, "nan"), "data %zu log %u", i, log_y);
            cr_expect_null(strstr(svg, "inf"), "data %zu log %u", i, log_y);
            bool empty = data[i] == none;
            cr_expect_eq(strstr(svg, "no data") != NULL, empty);
            cr_expect_eq(strstr(text, "no data") != NULL, empty);
            cr_expect(empty || strchr(text, '*'), "data %zu log %u: %s", i, log_y, text);
            lehr_plot_free(&svg);
            lehr_plot_free(&text);
        }
}

/* A hundred thousand points stay small because a pixel column needs four of them, and a single
 * outlier among them still shows. */
Test(plot, many_points_are_thinned_and_peaks_kept)
{
    enum { COUNT = 100000 };
    double *x = malloc(COUNT * sizeof *x), *y = malloc(COUNT * sizeof *y);
    cr_assert(x && y);
    for (int i = 0; i < COUNT; i++) {
        x[i] = i;
        y[i] = 0.5 + 0.1 * sin(i * 0.37);
    }
    y[54321] = 2;
    lehr_plot plot;
    lehr_plot_series s = {.name = "s", .x = x, .y = y, .count = COUNT};
    char *svg = NULL;
    lehr_plot_init(&plot);
    plot.series = &s;
    plot.series_count = 1;
    plot.y_min = 0;
    plot.y_max = 2;
    cr_assert_eq(lehr_plot_svg(ctx, &plot, &svg), LEHR_OK);
    cr_expect_lt(strlen(svg), 60000u);
    cr_expect(strstr(svg, " 0.0L") || strstr(svg, " -0.0L"), "the peak at the upper edge");
    lehr_plot_free(&svg);
    free(x);
    free(y);
}

static void expect_ticks(double min, double max, bool log, int target, const char *wanted)
{
    lh_axis axis;
    char got[512] = "";
    lh_axis_make(&axis, min, max, log, target);
    for (int i = 0; i < axis.tick_count; i++) {
        strcat(got, i ? " " : "");
        strcat(got, axis.labels[i]);
        double at = lh_axis_at(&axis, axis.ticks[i]);
        cr_expect(at >= -1e-6 && at <= 1 + 1e-6);
    }
    cr_expect_str_eq(got, wanted, "%g..%g: got '%s', wanted '%s'", min, max, got, wanted);
}

Test(plot, ticks_are_readable)
{
    expect_ticks(0, 1, false, 5, "0.0 0.2 0.4 0.6 0.8 1.0");
    expect_ticks(0, 0.3, false, 6, "0.00 0.05 0.10 0.15 0.20 0.25 0.30");
    expect_ticks(0, 20000, false, 5, "0 5000 10000 15000 20000");
    expect_ticks(-0.3, 0.3, false, 3, "-0.2 0.0 0.2");
    expect_ticks(0, 3e7, false, 3, "0 1e+07 2e+07 3e+07");
    expect_ticks(0, 4e-9, false, 4, "0 1e-09 2e-09 3e-09 4e-09");
    expect_ticks(1e-4, 1, true, 5, "0.0001 0.001 0.01 0.1 1");
    expect_ticks(0.01, 0.1, true, 6, "0.01 0.02 0.05 0.1");
    expect_ticks(1e-12, 1, true, 4, "1e-12 1e-09 1e-06 0.001 1");
    expect_ticks(0.3, 0.4, true, 5, "0.30 0.32 0.34 0.36 0.38 0.40");
    expect_ticks(0.99999, 1, false, 2, "0.999990 0.999995 1.000000");
}

/* A locale with a decimal comma; compiled into a temporary directory where none is installed. */
static bool set_comma_locale(void)
{
    if (setlocale(LC_ALL, "de_DE.UTF-8")) return true;
    char place[] = "/tmp/lehr-locale-XXXXXX", command[256];
    if (!mkdtemp(place)) return false;
    snprintf(command, sizeof command,
             "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", place);
    (void)!system(command);
    setenv("LOCPATH", place, 1);
    bool set = setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
    snprintf(command, sizeof command, "rm -r %s", place);
    (void)!system(command);
    return set;
}

Test(plot, locale_does_not_leak_in)
{
    if (!set_comma_locale())
        cr_skip_test("no locale with a decimal comma and no localedef to make one (package locales)");
    cr_assert_str_eq(localeconv()->decimal_point, ",");
    lehr_plot plot;
    lehr_plot_series series[2];
    char *text = NULL;
    two_lines(&plot, series);
    cr_assert_eq(lehr_plot_terminal(ctx, &plot, &text), LEHR_OK);
    cr_expect(strstr(text, "0.5") && !strstr(text, "0,5"));
    lehr_plot_free(&text);
}
