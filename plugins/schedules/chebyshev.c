/* SPDX-License-Identifier: MIT
 *
 * chebyshev(every): lr = base / (c - r cos((j + 1/2) pi / n)), c = (large + small) / 2, r = (large -
 * small) / 2: inverse Chebyshev nodes, one for each `every`, n = their number in `over` rounded up
 * to a power of two, j in the fractal order that keeps the products of steps small (arXiv
 * 2103.01338).  Values go from about base / large to base / small. */
#include <lehr/plugin.h>
#include <math.h>

enum { EVERY, SMALL, LARGE, LAG, OVER };
static const lehr_param params[] = {
    LEHR_DURATIONP("every", "1ep", 0, "how long each value stays"),
    {"small", "least eigenvalue the steps are made for", 0.05, 0, LEHR_ANY, LEHR_REAL,
     LEHR_P_OPEN_MIN, 0, 0},
    {"large", "largest one", 1, 0, LEHR_ANY, LEHR_REAL, LEHR_P_OPEN_MIN, 0, 0},
    LEHR_INTP("lag", 0, 0, 1e9, "the first value stays for so many more"),
    LEHR_DURATIONP("over", "100%", LEHR_P_PHASE, "length of the whole")};
static const lehr_preset presets[] = {
    {"pytorch_optimizer", "lag=2", "pytorch_optimizer get_chebyshev_schedule (8 epochs and more)"}};

/* Place i of the permutation of n: (p[0], n - 1 - p[0], p[1], n - 1 - p[1], ...), p that of n / 2. */
static uint64_t fractal(uint64_t n, uint64_t i)
{
    uint64_t place = 0, flip[64];
    int levels = 0;
    for (uint64_t m = n; m > 1; m /= 2, i /= 2) flip[levels++] = i % 2 ? m : 0;
    while (levels-- > 0) place = flip[levels] ? flip[levels] - 1 - place : place;
    return place;
}

static double value(const lehr_progress *t, const double *s)
{
    const double pi = 3.14159265358979323846, *p = t->p;
    double count = ceil(p[OVER] / p[EVERY]), i = floor((double)t->step / p[EVERY]) - p[LAG];
    uint64_t n = 1;
    (void)s;
    while ((double)n < count) n *= 2;
    i = i < 0 ? 0 : i > (double)(n - 1) ? (double)(n - 1) : i;
    double c = (p[LARGE] + p[SMALL]) / 2, r = (p[LARGE] - p[SMALL]) / 2;
    return t->base / (c - r * cos(((double)fractal(n, (uint64_t)i) + 0.5) * pi / (double)n));
}

static const lehr_schedule chebyshev = {
    .size = sizeof chebyshev, .name = "chebyshev",
    .doc = "lr = base / (c - r cos((j + 1/2) pi / n)), j in fractal order",
    .params = LEHR_TABLE(params), .presets = LEHR_TABLE(presets), .value = value};
LEHR_SCHEDULE_PLUGIN("org.lehr.chebyshev", "1.0", chebyshev)
