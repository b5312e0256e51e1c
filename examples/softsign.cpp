/* SPDX-License-Identifier: MIT
 *
 * An optimizer as a plugin in C++17: momentum whose step is squashed to (-1, 1), so that no weight moves
 * further than lr.  The tables are constants of the compiler; only scalar() is code.
 *   c++ -std=c++17 -O2 -fPIC -shared -o lehr-softsign.so softsign.cpp $(pkg-config --cflags lehr-plugin)
 *   lehr train --plugin ./lehr-softsign.so --optimizer 'softsign(beta=0.95)' --data synthetic --epochs 3 */
#include <lehr/plugin.h>
#include <cmath>

namespace {

enum { BETA, SCALE, WEIGHT_DECAY };
constexpr lehr_param params[] = {
    LEHR_SCHEDULABLEP("beta", 0.9, 0, 1, LEHR_P_OPEN_MAX, "decay of the average of gradients"),
    LEHR_REALP("scale", 1e-3, 0, LEHR_ANY, "average at which the step is half of lr"),
    LEHR_REALP("weight_decay", 0, 0, LEHR_ANY, "decoupled")};
constexpr lehr_slot slots[] = {LEHR_SLOT("m", "average of gradients")};
constexpr const char *scalars[] = {"correct"};
constexpr lehr_pass passes[] = {LEHR_PASS(R"(
m = beta * m + (1 - beta) * g;
real d = correct * m;
w -= lr * (d / (scale + fabs(d)) + weight_decay * w);
)")};

/* 1 / (1 - beta^t) makes up for the zeros that m starts from. */
lehr_status scalar(const lehr_update *u, const double *, double *out) noexcept
{
    out[0] = 1 / (1 - std::pow(u->p[BETA], static_cast<double>(u->t)));
    return LEHR_OK;
}

lehr_optimizer describe() noexcept
{
    lehr_optimizer d{};
    d.size = sizeof d;
    d.name = "softsign";
    d.doc = "w -= lr (mhat / (scale + |mhat|) + weight_decay w)";
    d.params = LEHR_TABLE(params);
    d.slots = LEHR_TABLE(slots);
    d.scalars = LEHR_TABLE(scalars);
    d.passes = LEHR_TABLE(passes);
    d.scalar = scalar;
    d.lr = 1e-3;
    return d;
}

const lehr_optimizer softsign = describe();

} // namespace

LEHR_OPTIMIZER_PLUGIN("org.example.softsign", "1.0", softsign)
