/* SPDX-License-Identifier: MIT
 *
 * Transposition of VW x VW floats in registers, by log2 VW rounds that each interleave the first half of
 * the lines with the second.  Included behind common.cl. */

/* Element j of lines[i] becomes element i of lines[j]. */
void transpose(LH_V lines[VW])
{
#if VW > 1
    #pragma unroll
    for (int step = 1; step < VW; step *= 2) {
        LH_V out[VW];
        #pragma unroll
        for (int i = 0; i < VW / 2; i++) {
            out[2 * i].even = lines[i].lo;
            out[2 * i].odd = lines[i + VW / 2].lo;
            out[2 * i + 1].even = lines[i].hi;
            out[2 * i + 1].odd = lines[i + VW / 2].hi;
        }
        #pragma unroll
        for (int i = 0; i < VW; i++) lines[i] = out[i];
    }
#endif
}
