/* SPDX-License-Identifier: MIT
 *
 * What a network makes of its weights once a forward pass, for all layers in one launch. */
#include "core/model/network_internal.h"

#include <stdlib.h>

#include "kernels/conv/conv.h"
#include "kernels/conv/filters.h"

/* Where the weights of a convolution's step begin in the arena; false: no convolution that reads them. */
static bool find_weights(const lh_network *net, const lh_net_step *s, size_t *at)
{
    bool forward = s->exec->op == &lh_conv_forward, data = s->exec->op == &lh_conv_backward_data;
    if (!forward && !data) return false;
    cl_mem w = s->args.buf[forward ? LH_CONVF_W : LH_CONVD_W];
    for (uint32_t i = 0; i < net->tensor_count; i++)
        if (net->tensor_view[i] == w && !net->tensors[i].is_stat) {
            *at = net->tensors[i].offset;
            return true;
        }
    return false;
}

lehr_status lh_network_plan_filters(lh_network *net)
{
    size_t count = 0;
    lh_filter_user *users = lh_alloc(net->ctx, (size_t)net->step_count + 1, sizeof *users);
    int *steps = lh_alloc(net->ctx, (size_t)net->step_count + 1, sizeof *steps);
    lehr_status st = users && steps ? LEHR_OK : LEHR_E_MEMORY;
    for (int i = 0; i < net->step_count && st == LEHR_OK; i++) {
        users[count].exec = net->steps[i].exec;
        steps[count] = i;
        if (find_weights(net, &net->steps[i], &users[count].weights)) count++;
    }
    if (st == LEHR_OK) st = lh_filters_create(net->dev, users, count, &net->filters);
    for (size_t i = 0; i < count && st == LEHR_OK; i++)
        net->steps[steps[i]].args.filters = users[i].filters;
    net->bytes += lh_filters_bytes(net->filters);
    free(users);
    free(steps);
    return st;
}

lehr_status lh_network_make_filters(lh_network *net)
{
    if (!net->filters) return LEHR_OK;
    if (net->tags) lh_profile_tag(net->dev, 2); /* the first layer's forward pass */
    return lh_filters_run(net->filters, net->layout.weights);
}
