/* SPDX-License-Identifier: MIT
 *
 * Adding up the buffers of a step or a run; see memory.h. */
#include "core/train/memory.h"

lehr_memory lh_memory_of(const lh_network *net, const lh_updater *updater, size_t data)
{
    lh_network_memory n = lh_network_get_memory(net);
    lehr_memory m = {.weights = n.weights, .activations = n.values, .activations_least = n.least,
                     .workspace = n.workspace, .data = data};
    size_t slot = lh_network_layout(net)->count * sizeof(float);
    uint32_t count = updater ? lh_updater_slot_count(updater) : 0;
    for (uint32_t i = 0; i < count; i++)
        if (lh_updater_slot(updater, i)) m.optimizer += slot;
    m.total = m.weights + m.optimizer + m.activations + m.workspace + m.data;
    return m;
}
