/* SPDX-License-Identifier: MIT
 *
 * Mean and squared deviations of one channel over a slot of pixels, by the work-group's lanes; for
 * sources that include sum_lanes.cl and define C and LP.  Valid in lane 0.  Sums are of the deviations
 * from the slot's first pixel, so that a large mean costs no digits. */
float2 slot_statistics(__global const float *x, int c, uint first, uint last, __local float *scratch)
{
    float shift = x[(size_t)first * C + c], s = 0.0f, q = 0.0f;
    for (uint i = first + (uint)get_local_id(1); i < last; i += LP) {
        float d = x[(size_t)i * C + c] - shift;
        s += d;
        q = fma(d, d, q);
    }
    s = sum_lanes(s, scratch);
    q = sum_lanes(q, scratch);
    float mean = s / (float)(last - first), squares = q - s * mean;
    return (float2)(shift + mean, squares < 0.0f ? 0.0f : squares);
}
