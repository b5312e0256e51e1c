/* SPDX-License-Identifier: MIT
 *
 * A test rule whose second pass does not compile: line 3 names what is not there. */
#include <lehr/plugin.h>

static const lehr_slot slots[] = {LEHR_SLOT("m", "average")};
static const lehr_reduce norm[] = {{"gsq", "g * g", LEHR_SUM, LEHR_PER_TENSOR}};
static const lehr_pass passes[] = {LEHR_PASS_R("m = g;", LEHR_TABLE(norm)),
                                   LEHR_PASS("real d = m / sqrt(gsq);\n"
                                             "d *= 2;\n"
                                             "w -= lr * momentun * d;\n")};
static const lehr_optimizer misspelt = {.size = sizeof misspelt, .name = "misspelt",
                                        .doc = "a rule for tests", .slots = LEHR_TABLE(slots),
                                        .passes = LEHR_TABLE(passes), .lr = 0.1};
LEHR_OPTIMIZER_PLUGIN("org.example.misspelt", "1.0", misspelt)
