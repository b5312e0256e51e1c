/* SPDX-License-Identifier: MIT
 *
 * Text helpers of the program.  It never calls setlocale(), so numbers have the C locale's form
 * whatever the environment says. */
#ifndef LEHR_CLI_TEXT_H
#define LEHR_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { NUMBER_SIZE = 32 };

/* The shortest decimal text that reads back as the same double; NaN is "-". */
const char *number_text(double value, char out[NUMBER_SIZE]);
/* printf's %.*f, and "-" for NaN. */
const char *fixed_text(double value, int decimals, char out[NUMBER_SIZE]);
/* 1234567 as "1,234,567". */
const char *count_text(uint64_t value, char out[NUMBER_SIZE]);
/* Seconds as "1:02:03" or "4:05"; "-" when not known. */
const char *clock_text(double seconds, char out[NUMBER_SIZE]);
/* Bytes as "1.5 GiB". */
const char *bytes_text(uint64_t bytes, char out[NUMBER_SIZE]);

/* Whole strings only, no leading space or sign. */
bool parse_uint(const char *text, uint64_t *out);
bool parse_real(const char *text, double *out);

void json_text(FILE *out, const char *text);
/* null when not finite. */
void json_number(FILE *out, double value);

/* Prints words wrapped to width columns, each line indented; the first line is not. */
void print_wrapped(FILE *out, const char *text, unsigned indent, unsigned width);

/* The known word that is nearest to a mistyped one, or NULL when none is near. */
const char *nearest_word(const char *typed, const char *const *known, size_t count);

/* Is the word one of "a|b|c"? */
bool choice_contains(const char *choices, const char *word);

#endif
