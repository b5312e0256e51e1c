/* SPDX-License-Identifier: MIT
 *
 * Pieces of an HTML page.  All text from outside goes through lh_str_xml. */
#include "core/study/html.h"

#include <math.h>

#include "core/study/plot.h"

static const char style[] =
    ":root{color-scheme:light dark;--fg:#1f2328;--dim:#59636e;--line:#d8dee4;--bg:#ffffff;"
    "--panel:#f6f8fa;--warn-bg:#fff3cd;--warn-fg:#5c4400;--warn-line:#d4a72c;" LH_PLOT_LIGHT "}\n"
    "@media(prefers-color-scheme:dark){"
    ":root{--fg:#e6edf3;--dim:#9aa4af;--line:#30363d;--bg:#0d1117;"
    "--panel:#161b22;--warn-bg:#3a2d00;--warn-fg:#ffe08a;--warn-line:#9e7b00;" LH_PLOT_DARK "}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:1220px;padding:28px 24px 60px;background:var(--bg);"
    "color:var(--fg);font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}\n"
    "h1{font-size:26px;margin:0 0 2px}h2{font-size:18px;margin:34px 0 10px}\n"
    ".sub{color:var(--dim);margin:0 0 18px}p{max-width:85ch}\n"
    ".banner{background:var(--warn-bg);color:var(--warn-fg);border:1px solid var(--warn-line);"
    "border-radius:6px;padding:10px 14px;margin:14px 0;font-weight:600}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(540px,1fr));gap:24px}\n"
    "@media(max-width:600px){.charts{grid-template-columns:1fr}}\n"
    "figure{margin:0}figcaption{color:var(--dim);font-size:13px;margin-top:2px;max-width:80ch}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:5px 9px;border-bottom:1px solid var(--line);text-align:left;"
    "white-space:nowrap}\n"
    "thead th{border-bottom:2px solid var(--line);font-weight:600;vertical-align:bottom;"
    "white-space:normal}\n"
    "td.n,th.n{text-align:right}td.wrap{white-space:normal}.dim{color:var(--dim)}\n"
    "td.yes{font-weight:600}td.no{color:var(--dim)}\n"
    ".swatch{display:inline-block;width:14px;height:10px;border-radius:2px;margin-right:7px}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:0}\n"
    "dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}\n"
    "code,pre{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}\n"
    "pre{background:var(--panel);border:1px solid var(--line);border-radius:6px;"
    "padding:10px 12px;overflow-x:auto;white-space:pre-wrap}\n"
    "ul{padding-left:20px;max-width:100ch}summary{cursor:pointer;color:var(--dim)}\n"
    "footer{margin-top:40px;color:var(--dim);font-size:13px}\n";

void lh_html_open(lh_str *s, const char *title, const char *subtitle)
{
    lh_str_add(s, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                  "<title>");
    lh_str_xml(s, title);
    lh_str_add(s, "</title>\n<style>\n");
    lh_str_add(s, style);
    lh_str_add(s, "</style>\n</head>\n<body>\n<header>\n<h1>");
    lh_str_xml(s, title);
    lh_str_add(s, "</h1>\n");
    if (subtitle) {
        lh_str_add(s, "<p class=\"sub\">");
        lh_str_xml(s, subtitle);
        lh_str_add(s, "</p>\n");
    }
    lh_str_add(s, "</header>\n");
}

void lh_html_close(lh_str *s)
{
    lh_str_printf(s, "<footer>Made by lehr %s.</footer>\n</body>\n</html>\n", lehr_version());
}

void lh_html_section(lh_str *s, const char *heading)
{
    lh_str_add(s, "<section>\n<h2>");
    lh_str_xml(s, heading);
    lh_str_add(s, "</h2>\n");
}

void lh_html_section_end(lh_str *s) { lh_str_add(s, "</section>\n"); }

void lh_html_banner(lh_str *s, const char *text)
{
    lh_str_add(s, "<div class=\"banner\" role=\"note\">");
    lh_str_xml(s, text);
    lh_str_add(s, "</div>\n");
}

void lh_html_fact(lh_str *s, const char *name, const char *value)
{
    if (!value || !*value) return;
    lh_html_cell(s, "dt", NULL, name);
    lh_html_cell(s, "dd", NULL, value);
    lh_str_add(s, "\n");
}

void lh_html_fact_code(lh_str *s, const char *name, const char *value)
{
    if (!value || !*value) return;
    lh_html_cell(s, "dt", NULL, name);
    lh_str_add(s, "<dd>");
    lh_html_cell(s, "code", NULL, value);
    lh_str_add(s, "</dd>\n");
}

void lh_html_fact_number(lh_str *s, const char *name, double value)
{
    char text[40];
    if (!isfinite(value)) return;
    lh_format_double(value, text, sizeof text);
    lh_html_fact(s, name, text);
}

void lh_html_cell(lh_str *s, const char *tag, const char *class, const char *text)
{
    lh_str_printf(s, class ? "<%s class=\"%s\">" : "<%s>", tag, class);
    lh_str_xml(s, text);
    lh_str_printf(s, "</%s>", tag);
}

void lh_html_number(lh_str *s, double value)
{
    char text[40] = "";
    if (isfinite(value)) lh_format_double(value, text, sizeof text);
    lh_html_cell(s, "td", "n", text);
}

void lh_html_fixed(lh_str *s, const char *format, double value)
{
    lh_str_add(s, "<td class=\"n\">");
    if (isfinite(value))
        lh_str_printf(s, format, value);
    else
        lh_str_add(s, "–");
    lh_str_add(s, "</td>");
}

lehr_status lh_html_chart(lehr_context *ctx, lh_str *s, const lehr_plot *plot, const char *caption)
{
    char *svg = NULL;
    lehr_status status = lehr_plot_svg(ctx, plot, &svg);
    if (status != LEHR_OK) return status;
    lh_str_add(s, "<figure>\n");
    lh_str_add(s, svg);
    if (caption) lh_html_cell(s, "figcaption", NULL, caption);
    lh_str_add(s, "</figure>\n");
    lehr_plot_free(&svg);
    return LEHR_OK;
}
