/* SPDX-License-Identifier: MIT
 *
 * The verb find-lr: the learning-rate range test as a chart and a table; CSV, JSON and SVG. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/run.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/verbs.h"

enum { CHART_LINES = 20 };

typedef struct search {
    session s;
    char *optimizer; /* with every value written out */
    bool live;       /* a line that is redrawn on standard error */
    lehr_find_lr_params params;
    lehr_find_lr_result result;
} search;

/* ---- while it runs ---- */

static int on_event(void *user, const lehr_event *event)
{
    const search *f = user;
    if (f->live && strcmp(event->kind, "step") == 0)
        fprintf(stderr, "\rupdate %llu/%u  lr %.2e  loss %.4g   ", (unsigned long long)event->step,
                f->params.steps + 1, event->lr, event->loss);
    return LEHR_CONTINUE;
}

static void print_start(const search *f)
{
    const settings *set = f->s.set;
    run_print_device(&f->s);
    run_print_plugins(&f->s);
    run_print_data(&f->s);
    run_print_model(&f->s);
    printf("optimizer   %s\n", f->optimizer);
    run_print_common(set);
    printf("range       lr %s to %s in %u updates, %u seed%s\n\n", option_text(set, OPT_LR_MIN),
           option_text(set, OPT_LR_MAX), f->params.steps, f->params.seeds,
           f->params.seeds > 1 ? "s" : "");
    fflush(stdout);
}

/* ---- what was found ---- */

static void print_lr(const char *name, double lr, const char *about)
{
    if (!isnan(lr)) printf("%-18s%-10.2g%s\n", name, lr, about);
}

static void print_advice(const search *f)
{
    const lehr_find_lr_result *r = &f->result;
    if (r->count == 0)
        puts("\nThe loss blew up at the smallest learning rate; type: --lr-min with a smaller one.");
    else if (!r->falls)
        puts("\nThe loss falls by no more than its scatter, so nothing is suggested; try a larger --batch, "
             "--steps 300 or --seeds 3.");
    else if (!r->exceeded && !(r->stable < r->lr[r->count - 1]))
        puts("\nThe loss did not come back up to the end of the range; a larger --lr-max would show where it "
             "does.");
}

static void print_table(const search *f)
{
    const lehr_find_lr_result *r = &f->result;
    if (r->falls) {
        print_lr("valley", r->valley, "two thirds of the range in which the loss falls; start here");
        print_lr("steepest descent", r->steepest, "the loss falls fastest");
        printf("%-18s%.2g to %.2g\n", "range", r->fall_begins, r->fall_ends);
        print_lr("lowest loss", r->lowest, "too large for a whole training");
    }
    print_lr("largest stable", r->stable, r->falls ? "beyond it the loss is above its start"
                                                   : "beyond it the loss is four times its lowest");
    print_advice(f);
}

static void print_csv(FILE *out, const lehr_find_lr_result *r)
{
    char lr[NUMBER_SIZE], loss[NUMBER_SIZE], smoothed[NUMBER_SIZE];
    fputs("lr,loss,smoothed\n", out);
    for (uint32_t i = 0; i < r->count; i++)
        fprintf(out, "%s,%s,%s\n", number_text(r->lr[i], lr), number_text(r->loss[i], loss),
                number_text(r->smoothed[i], smoothed));
}

static void json_array(FILE *out, const char *name, const double *values, uint32_t count)
{
    fprintf(out, ",\n \"%s\": [", name);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", out);
        json_number(out, values[i]);
    }
    fputc(']', out);
}

static void print_json(FILE *out, const search *f)
{
    const lehr_find_lr_result *r = &f->result;
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"valley", r->valley}, {"steepest", r->steepest}, {"fall_begins", r->fall_begins},
                   {"fall_ends", r->fall_ends}, {"lowest", r->lowest}, {"stable", r->stable}};
    fputs("{\"optimizer\": ", out);
    json_text(out, f->optimizer);
    fprintf(out, ", \"batch\": %u, \"seed\": %llu, \"seeds\": %u, \"falls\": %s, \"exceeded\": %s",
            f->params.train.batch, (unsigned long long)f->params.train.seed, f->params.seeds,
            r->falls ? "true" : "false", r->exceeded ? "true" : "false");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        fprintf(out, ",\n \"%s\": ", numbers[i].name);
        json_number(out, r->count ? numbers[i].value : NAN);
    }
    json_array(out, "lr", r->lr, r->count);
    json_array(out, "loss", r->loss, r->count);
    json_array(out, "smoothed", r->smoothed, r->count);
    fputs("}\n", out);
}

/* ---- the chart ---- */

/* The explosion at the end would flatten everything else: the axis ends a little above the start. */
static void limit_axis(lehr_plot *plot, const lehr_find_lr_result *r)
{
    if (r->count == 0) return;
    double first = r->smoothed[0], low = first;
    for (uint32_t i = 0; i < r->count; i++)
        if (r->loss[i] < low) low = r->loss[i];
    double margin = first - low > 0.2 * first ? 0.5 * (first - low) : 0.1 * first;
    plot->y_max = first + margin;
    plot->y_min = low > 0.2 * margin ? low - 0.2 * margin : 0.0;
}

/* Terminal text or, with svg 1, SVG. */
static lehr_status draw(const search *f, bool svg, char **out)
{
    const lehr_find_lr_result *r = &f->result;
    char title[512], name[64];
    lehr_plot plot;
    lehr_plot_init(&plot);
    snprintf(name, sizeof name, "valley, lr %.2g", r->valley);
    double x = r->valley, y = NAN;
    for (uint32_t i = 0; r->falls && i < r->count && r->lr[i] <= x; i++) y = r->smoothed[i];
    lehr_plot_series series[] = {
        {.name = "loss", .x = r->lr, .y = r->loss, .count = r->count, .style = 7},
        {.name = "running median", .x = r->lr, .y = r->smoothed, .count = r->count, .style = 0},
        {.name = name, .x = &x, .y = &y, .count = 1, .style = 1},
    };
    snprintf(title, sizeof title, "Range test: %.200s, batch %u", option_text(f->s.set, OPT_OPTIMIZER),
             f->params.train.batch);
    plot.title = title;
    plot.x_label = "learning rate";
    plot.y_label = "loss";
    plot.series = series;
    plot.series_count = r->falls ? 3 : 2;
    plot.log_x = 1;
    limit_axis(&plot, r);
    if (svg) return lehr_plot_svg(f->s.ctx, &plot, out);
    unsigned width = terminal_width(stdout);
    plot.width = width > 120 ? 120 : width;
    plot.height = CHART_LINES;
    plot.unicode = terminal_utf8();
    plot.color = terminal_colour(stdout);
    return lehr_plot_terminal(f->s.ctx, &plot, out);
}

/* ---- files ---- */

static bool cannot_write(const search *f, const char *option, const char *path)
{
    return usage_error(f->s.set->verb, "%s: %s cannot be written (%s)", option, path, strerror(errno));
}

typedef enum file_kind { FILE_CSV, FILE_JSON, FILE_SVG } file_kind;

static bool write_file(const search *f, const char *option, const char *path, file_kind kind)
{
    char *svg = NULL;
    if (kind == FILE_SVG && draw(f, true, &svg) != LEHR_OK)
        return usage_error(f->s.set->verb, "out of memory");
    FILE *file = fopen(path, "w");
    if (file && kind == FILE_CSV) print_csv(file, &f->result);
    if (file && kind == FILE_JSON) print_json(file, f);
    if (file && kind == FILE_SVG) fputs(svg, file);
    bool good = file && !ferror(file);
    if (file && fclose(file) != 0) good = false;
    lehr_plot_free(&svg);
    return good || cannot_write(f, option, path);
}

static bool write_files(const search *f)
{
    static const char *const names[] = {"find-lr.csv", "find-lr.json", "find-lr.svg"};
    const char *svg = option_text(f->s.set, OPT_SVG), *out = option_text(f->s.set, OPT_OUT);
    char path[4096];
    if (svg && !write_file(f, "--svg", svg, FILE_SVG)) return false;
    if (!out) return true;
    if (mkdir(out, 0777) != 0 && errno != EEXIST) return cannot_write(f, "--out", out);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", out, names[i]);
        if (!write_file(f, "--out", path, (file_kind)i)) return false;
    }
    return true;
}

/* ---- the verb ---- */

static lehr_status open_objects(search *f)
{
    session *s = &f->s;
    double lr;
    lehr_status st = session_registry(s);
    if (st == LEHR_OK)
        st = lehr_optimizer_resolve(s->ctx, s->registry, option_text(s->set, OPT_OPTIMIZER),
                                    given_weight_decay(s->set), &f->optimizer, &lr);
    if (st == LEHR_OK) st = session_model(s);
    if (st == LEHR_OK) st = session_device(s);
    return st == LEHR_OK ? session_data(s) : st;
}

static void set_params(search *f)
{
    const settings *set = f->s.set;
    lehr_find_lr_params_init(&f->params);
    run_params(&f->params.train, set);
    f->params.train.stop_signal = NULL; /* there is nothing to keep: a signal ends the program */
    f->params.train.optimizer = option_text(set, OPT_OPTIMIZER);
    f->params.train.init = option_text(set, OPT_INIT);
    f->params.train.on_event = on_event;
    f->params.train.user = f;
    f->params.lr_min = option_real(set, OPT_LR_MIN);
    f->params.lr_max = option_real(set, OPT_LR_MAX);
    f->params.steps = (uint32_t)option_uint(set, OPT_STEPS);
    f->params.seeds = (uint32_t)option_uint(set, OPT_SEEDS);
}

static lehr_status show(const search *f)
{
    char *chart = NULL;
    if (option_flag(f->s.set, OPT_CSV)) {
        print_csv(stdout, &f->result);
        return LEHR_OK;
    }
    if (option_flag(f->s.set, OPT_JSON)) {
        print_json(stdout, f);
        return LEHR_OK;
    }
    lehr_status st = draw(f, false, &chart);
    if (st == LEHR_OK) {
        fputs(chart, stdout);
        putchar('\n');
        print_table(f);
    }
    lehr_plot_free(&chart);
    return st;
}

static bool options_agree(const settings *set)
{
    if (option_flag(set, OPT_CSV) && option_flag(set, OPT_JSON))
        return usage_error(set->verb, "--csv and --json are two forms of one output; give one of them");
    if (!(option_real(set, OPT_LR_MIN) < option_real(set, OPT_LR_MAX)))
        return usage_error(set->verb, "--lr-min %s is not below --lr-max %s", option_text(set, OPT_LR_MIN),
                           option_text(set, OPT_LR_MAX));
    return run_needs_data(set);
}

int verb_find_lr(settings *set)
{
    search f = {.live = terminal_can_redraw(stderr)};
    bool written = true, text = !option_flag(set, OPT_CSV) && !option_flag(set, OPT_JSON);
    if (!options_agree(set)) return EXIT_USAGE;
    lehr_status st = session_start(&f.s, set);
    if (st == LEHR_OK) st = open_objects(&f);
    if (st == LEHR_OK) {
        set_params(&f);
        if (text) print_start(&f);
        st = lehr_find_lr(f.s.device, f.s.registry, f.s.model, f.s.data, &f.params, &f.result);
        if (f.live) fputs("\r\033[K", stderr);
    }
    if (st == LEHR_OK) written = write_files(&f);
    if (st == LEHR_OK && written) st = show(&f);
    free(f.optimizer);
    lehr_find_lr_free(&f.result);
    int code = session_end(&f.s, st);
    return code == 0 && !written ? EXIT_CANNOT_WRITE : code;
}
