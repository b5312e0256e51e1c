/* SPDX-License-Identifier: MIT
 *
 * A parameter's kind, range and default, in words and as JSON. */
#include "cli/describe.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"

enum { PARAM_COLUMN = 19 };

void span_element(const lehr_span *span, uint32_t i, void *out, size_t size)
{
    size_t given = span->stride < size ? span->stride : size;
    memset(out, 0, size);
    memcpy(out, (const char *)span->at + (size_t)i * span->stride, given);
}

/* ", 0 to 1", ", above 0", nothing without bounds. */
static void add_bounds(char *out, size_t size, const lehr_param *p)
{
    char low[NUMBER_SIZE], high[NUMBER_SIZE];
    bool open_min = p->flags & LEHR_P_OPEN_MIN, open_max = p->flags & LEHR_P_OPEN_MAX;
    bool has_min = p->min > -LEHR_ANY, has_max = p->max < LEHR_ANY;
    size_t end = strlen(out);
    const char *min = number_text(p->min, low), *max = number_text(p->max, high);
    if (p->kind != LEHR_REAL && p->kind != LEHR_INT) return;
    if (has_min && has_max)
        snprintf(out + end, size - end, ", %s%s to %s%s", open_min ? "above " : "", min,
                 open_max ? "below " : "", max);
    else if (has_min)
        snprintf(out + end, size - end, ", %s%s%s", open_min ? "above " : "", min,
                 open_min ? "" : " or more");
    else if (has_max)
        snprintf(out + end, size - end, ", %s%s", open_max ? "below " : "at most ", max);
}

static bool has_default(const lehr_param *p)
{
    return !(p->flags & LEHR_P_REQUIRED || (p->kind == LEHR_DURATION && !p->text));
}

/* The default as a user would type it. */
static const char *default_text(const lehr_param *p, char number[NUMBER_SIZE])
{
    size_t choice = p->def >= 0 ? (size_t)p->def : 0;
    for (size_t i = 0; p->kind == LEHR_CHOICE && p->choices && p->choices[i]; i++)
        if (i == choice) return p->choices[i];
    return p->text ? p->text : number_text(p->def, number);
}

/* "; default 0.9" or "; must be given". */
static void add_default(char *out, size_t size, const lehr_param *p)
{
    char number[NUMBER_SIZE];
    size_t end = strlen(out);
    snprintf(out + end, size - end, has_default(p) ? "; default %s" : "; must be given",
             default_text(p, number));
}

void describe_param(const lehr_param *p, unsigned width)
{
    static const char *const kinds[] = {"number",   "whole number", "0 or 1",
                                        "one of",   "duration",     "number, or % of the base"};
    char text[1024];
    const char *kind = p->kind < sizeof kinds / sizeof *kinds ? kinds[p->kind] : "number";
    snprintf(text, sizeof text, "%s (%s%s", p->doc ? p->doc : "",
             p->flags & LEHR_P_LIST ? "list of: " : "", kind);
    for (size_t i = 0; p->kind == LEHR_CHOICE && p->choices && p->choices[i]; i++) {
        size_t end = strlen(text);
        snprintf(text + end, sizeof text - end, "%s %s", i ? "," : "", p->choices[i]);
    }
    add_bounds(text, sizeof text, p);
    add_default(text, sizeof text, p);
    size_t end = strlen(text);
    snprintf(text + end, sizeof text - end, "%s)",
             p->flags & LEHR_P_SCHEDULABLE ? "; may be scheduled" : "");
    printf("    %-14s ", p->name);
    print_wrapped(stdout, text, PARAM_COLUMN, width);
}

static void json_bound(const char *key, double value, bool open)
{
    printf(", \"%s\": ", key);
    json_number(stdout, value > -LEHR_ANY && value < LEHR_ANY ? value : (double)NAN);
    if (open) printf(", \"%s_open\": true", key);
}

void describe_param_json(const lehr_param *p)
{
    static const char *const kinds[] = {"real", "int", "bool", "choice", "duration", "value"};
    char number[NUMBER_SIZE];
    fputs("{\"name\": ", stdout);
    json_text(stdout, p->name);
    printf(", \"kind\": \"%s\", \"doc\": ",
           p->kind < sizeof kinds / sizeof *kinds ? kinds[p->kind] : "real");
    json_text(stdout, p->doc ? p->doc : "");
    json_bound("min", p->min, p->flags & LEHR_P_OPEN_MIN);
    json_bound("max", p->max, p->flags & LEHR_P_OPEN_MAX);
    fputs(", \"default\": ", stdout);
    if (has_default(p))
        json_text(stdout, default_text(p, number));
    else
        fputs("null", stdout);
    for (size_t i = 0; p->kind == LEHR_CHOICE && p->choices && p->choices[i]; i++) {
        fputs(i ? ", " : ", \"choices\": [", stdout);
        json_text(stdout, p->choices[i]);
        if (!p->choices[i + 1]) fputs("]", stdout);
    }
    printf(", \"list\": %s, \"schedulable\": %s}", p->flags & LEHR_P_LIST ? "true" : "false",
           p->flags & LEHR_P_SCHEDULABLE ? "true" : "false");
}
