/* SPDX-License-Identifier: MIT
 *
 * Test rules that are judged by other weights than they train: judged (an average, put back by the
 * host), judged_not (the same without), swapped (an exchange that undoes itself); and polyak, whose
 * step follows the loss. */
#include <lehr/plugin.h>
#include <math.h>

enum { DECAY };
static const lehr_param params[] = {LEHR_REALP("decay", 0.9, 0, 1, "of the average")};
static const lehr_slot slots[] = {LEHR_SLOT("mean", "average of the weights, from 0")};
static const char *const scalars[] = {"correct"};
static const lehr_pass passes[] = {
    LEHR_PASS("w -= lr * g;\nmean = decay * mean + (1 - decay) * w;\n")};

static lehr_status scalar(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    out[0] = 1 / (1 - pow(u->p[DECAY], (double)u->t));
    return LEHR_OK;
}

#define BODY                                                                                       \
    .doc = "a rule for tests", .params = LEHR_TABLE(params), .slots = LEHR_TABLE(slots),            \
    .scalars = LEHR_TABLE(scalars), .passes = LEHR_TABLE(passes), .scalar = scalar, .lr = 0.1
static const lehr_optimizer judged = {.size = sizeof judged, .name = "judged", BODY,
                                      .enter_eval = "w = mean * correct;\nmean = 0;\n"};
static const lehr_optimizer judged_not = {.size = sizeof judged_not, .name = "judged_not", BODY};
static const lehr_optimizer swapped = {.size = sizeof swapped, .name = "swapped", BODY,
                                       .enter_eval = "real t = w;\nw = mean;\nmean = t;\n",
                                       .leave_eval = "real t = w;\nw = mean;\nmean = t;\n"};

static const char *const loss_scalar[] = {"loss"};
static const lehr_pass follow[] = {LEHR_PASS("w -= lr * loss * g;")};

static lehr_status take_loss(const lehr_update *u, const double *s, double *out)
{
    (void)s;
    if (isnan(u->loss)) return u->host->fail(u->host, LEHR_E_PARAM, "the loss is not there");
    out[0] = u->loss;
    return LEHR_OK;
}

static const lehr_optimizer polyak = {
    .size = sizeof polyak, .flags = LEHR_O_NEEDS_LOSS, .name = "polyak", .doc = "w -= lr loss g",
    .scalars = LEHR_TABLE(loss_scalar), .passes = LEHR_TABLE(follow), .scalar = take_loss};

LEHR_EXPORT const lehr_plugin *lehr_plugin_v1(void)
{
    static const lehr_optimizer *const list[] = {&judged, &judged_not, &swapped, &polyak};
    static const lehr_plugin self = {.size = sizeof self, .abi = LEHR_ABI, .id = "org.example.judged",
                                     .version = "1.0", .optimizers = list, .optimizer_count = 4};
    return &self;
}
