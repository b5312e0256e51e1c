/* SPDX-License-Identifier: MIT
 *
 * A test rule: every kind of reduction, laid open in slots, then a step that uses them all.  Three
 * launches a group: pass 1 and 2 are one, with a scratch slot that never leaves it; 3; 4. */
#include <lehr/plugin.h>
#include <math.h>

static const lehr_param params[] = {LEHR_REALP("eps", 1e-6, 0, 1, "keeps quotients finite")};
static const lehr_slot slots[] = {
    LEHR_SLOT("sum_w", "sum of the tensor's weights"), LEHR_SLOT("top_g", "largest |g| of the tensor"),
    LEHR_SLOT("all_sq", "sum of g^2 over all"), LEHR_SLOT("told", "what the host was told"),
    LEHR_SCRATCH("tmp", "lives within pass 1 and 2"), LEHR_SCRATCH("twice", "from pass 2 to pass 3")};
static const char *const scalars[] = {"share", "heard"};

static const lehr_reduce second[] = {{"wsum", "w", LEHR_SUM, LEHR_PER_TENSOR},
                                     {"gtop", "fabs(g)", LEHR_MAX, LEHR_PER_TENSOR},
                                     {"gsq", "tmp * tmp * 4", LEHR_SUM, LEHR_OVER_ALL}};
static const lehr_reduce third[] = {{"host_sum", "twice + eps * 0", LEHR_SUM, LEHR_OVER_ALL_TO_HOST},
                                    {"host_top", "top_g", LEHR_MAX, LEHR_OVER_ALL_TO_HOST}};
static const lehr_pass passes[] = {
    LEHR_PASS("tmp = 0.5 * g; /* w is not touched here */"),
    LEHR_PASS_R("twice = 4 * tmp;", LEHR_TABLE(second)),
    LEHR_PASS_R("sum_w = wsum;\ntop_g = gtop;\nall_sq = gsq;\n", LEHR_TABLE(third)),
    LEHR_PASS("told = heard;\n"
              "if (g == 0) break;\n"
              "w -= lr * share * g / (sqrt(all_sq) + eps);\n")};
static const lehr_var state[] = {LEHR_VAR("calls", 0, "calls of advance"),
                                 LEHR_VAR("sum", 0, "the sum of 2 g that came back")};

static lehr_status advance(const lehr_update *u, double *s)
{
    s[0]++;
    if (u->pass == 3 && u->all_count == 2) s[1] = u->all[0];
    return LEHR_OK;
}

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    out[0] = 1.0 + u->pass;
    out[1] = u->pass == 3 ? s[1] + 1000 * u->all[1] : 0;
    return LEHR_OK;
}

static const lehr_optimizer reducer = {
    .size = sizeof reducer, .name = "reducer", .doc = "a rule for tests",
    .params = LEHR_TABLE(params), .slots = LEHR_TABLE(slots), .state = LEHR_TABLE(state),
    .scalars = LEHR_TABLE(scalars), .passes = LEHR_TABLE(passes), .advance = advance,
    .scalar = scalar, .lr = 0.1};
LEHR_OPTIMIZER_PLUGIN("org.example.reducer", "1.0", reducer)
