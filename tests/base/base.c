/* SPDX-License-Identifier: MIT
 *
 * core/base: failing, numbers as text, JSON, suggestions, the random numbers' known answers. */
#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "core/base/base.h"
#include "core/base/philox.h"

Test(base, first_failure_wins)
{
    lehr_context *ctx = NULL;
    cr_assert_eq(lehr_context_create(NULL, &ctx), LEHR_OK);
    cr_expect_eq(lh_fail(ctx, LEHR_E_DATA, "first %d", 1), LEHR_E_DATA);
    cr_expect_eq(lh_fail(ctx, LEHR_E_DISK, "second"), LEHR_E_DISK);
    cr_expect_str_eq(lehr_context_message(ctx), "first 1");
    lh_fail_context(ctx, "layer '%s': ", "conv1");
    cr_expect_str_eq(lehr_context_message(ctx), "layer 'conv1': first 1");
    lh_enter(ctx);
    cr_expect_str_eq(lehr_context_message(ctx), "");
    lehr_context_destroy(&ctx);
    cr_expect_null(ctx);
}

Test(base, status_names_and_exit_codes)
{
    cr_expect_str_eq(lehr_status_name(LEHR_E_DATA), "LEHR_E_DATA");
    cr_expect_eq(lehr_status_exit_code(LEHR_E_DATA), 4);
    cr_expect_eq(lehr_status_exit_code(LEHR_OK), 0);
    cr_expect_eq(lehr_status_exit_code(LEHR_E_PLUGIN), 9);
    cr_expect_str_eq(lehr_status_name(-999), "LEHR_E_?");
}

/* Known answer of the Random123 distribution: zero key and counter. */
Test(base, philox_known_answers)
{
    lh_philox zero = lh_philox_draw(0, 0, 0, 0);
    cr_expect_eq(zero.v[0], 0x6627e8d5u);
    cr_expect_eq(zero.v[1], 0xe169c58du);
    cr_expect_eq(zero.v[2], 0xbc57ac4cu);
    cr_expect_eq(zero.v[3], 0x9b00dbd8u);
    lh_philox ones = lh_philox_draw(~0ull, ~0ull, ~0u, ~0u);
    cr_expect_eq(ones.v[0], 0x408f276du);
    cr_expect_eq(ones.v[1], 0x41c83b0eu);
    cr_expect_eq(ones.v[2], 0xa20bc7c6u);
    cr_expect_eq(ones.v[3], 0x6d5451fdu);
}

Test(base, numbers_as_text)
{
    char text[40];
    lh_format_double(0.1, text, sizeof text);
    cr_expect_str_eq(text, "0.1");
    lh_format_double(1.0 / 3, text, sizeof text);
    double back = 0;
    cr_expect(lh_parse_double(text, &back));
    cr_expect_eq(back, 1.0 / 3);
    lh_format_float(0.1f, text, sizeof text);
    cr_expect_str_eq(text, "0.1");
    lh_format_float(0.3f * 0.1f, text, sizeof text);
    cr_expect_str_eq(text, "0.030000001");
    lh_format_double(5e-324, text, sizeof text);
    cr_expect_str_eq(text, "5e-324");
    lh_format_double(100, text, sizeof text);
    cr_expect_str_eq(text, "100");
    cr_expect_not(lh_parse_double("1,5", &back));
    cr_expect_not(lh_parse_double(" 1", &back));
    cr_expect_not(lh_parse_double("nan", &back));
    cr_expect_not(lh_parse_double("", &back));
    uint64_t u = 0;
    cr_expect(lh_parse_u64("18446744073709551615", &u));
    cr_expect_not(lh_parse_u64("18446744073709551616", &u));
    cr_expect_not(lh_parse_u64("-1", &u));
}

Test(base, json_text)
{
    lh_str s = {0};
    lh_str_json(&s, "a\"b\\c\n");
    lh_str_add(&s, " ");
    lh_str_json_number(&s, NAN);
    lh_str_add(&s, " ");
    lh_str_json_number(&s, 2.5);
    cr_expect_str_eq(lh_str_text(&s), "\"a\\\"b\\\\c\\u000a\" null 2.5");
    lh_str_clear(&s);
    lh_str_json(&s, "\xc3\xa9 \xff\xc3 \xed\xa0\x80");
    cr_expect_str_eq(lh_str_text(&s), "\"\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd "
                                      "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    lh_str_free(&s);
}

Test(base, suggestions)
{
    static const char *const known[] = {"cosine", "step", "linear"};
    lh_str s = {0};
    lh_str_suggest(&s, "cosin", known, 3);
    cr_expect_str_eq(lh_str_text(&s), "; did you mean 'cosine'?; known: cosine, step, linear");
    lh_str_free(&s);
}

/* Pieces of each text, joined by '|'. */
Test(base, cutting_texts)
{
    static const struct {
        const char *text, *pieces;
    } rows[] = {{"a;b", "a|b"},           {" a ; b\t", "a|b"},         {"", ""},
                {"a;", "a|"},             {";", "|"},                 {"f(a; b); [c;d]", "f(a; b)|[c;d]"},
                {"e(\"x;)\"); y", "e(\"x;)\")|y"}, {"'a;b';c", "'a;b'|c"},
                {"e(\"x\\\";\"); y", "e(\"x\\\";\")|y"}, {"a)b;c", "a)b|c"},
                {"f(a;b", "f(a;b"},       {"\"a;b", "\"a;b"}};
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        const char *rest = rows[i].text;
        lh_str out = {0};
        lh_piece piece;
        for (bool first = true; lh_text_cut(&rest, ';', &piece); first = false) {
            lh_str_add(&out, first ? "" : "|");
            lh_str_add_bytes(&out, piece.at, piece.length);
        }
        cr_expect_str_eq(lh_str_text(&out), rows[i].pieces, "'%s'", rows[i].text);
        lh_str_free(&out);
    }
}
