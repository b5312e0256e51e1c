/* SPDX-License-Identifier: MIT
 *
 * tile.cl without local memory and barriers, for devices whose sub-groups a kernel can fix at SUBGROUP
 * work-items (cl_intel_subgroups, cl_intel_required_subgroup_size): the same source, macros and
 * tile_multiply, A_VEC = B_VEC = 1.
 * A sub-group makes TM rows x SUBGROUP * TN columns of C; its work-items are neighbours along the
 * columns.  Each holds a part of A that the others get by a shuffle from a fixed lane: SUBGROUP steps
 * of k where those lie together, else one step of TM <= SUBGROUP rows.  B is read straight from global
 * memory, the work-group's sub-groups sharing it in the cache.  Sums: k ascending. */
#pragma OPENCL EXTENSION cl_intel_subgroups : enable
#define SUB_COLS (BN / (SUBGROUP * TN)) /* sub-groups next to each other */
#define THREADS (BM / TM * SUB_COLS * SUBGROUP)
#define TILE_KERNEL                                                                                \
    __kernel __attribute__((reqd_work_group_size(THREADS, 1, 1), intel_reqd_sub_group_size(SUBGROUP)))
#define TILE_MEMORY __local float4 *memory = 0;
#define TILE_ROW(i) ((int)get_sub_group_id() / SUB_COLS * TM + (i))
#define TILE_COL(j)                                                                                \
    (((int)get_sub_group_id() % SUB_COLS * TN + (j)) * SUBGROUP + (int)get_sub_group_local_id())

void tile_multiply(const source *s, int row0, int col0, int k0, int k1, __local float4 *memory,
                   float sum[TM][TN])
{
    int lane = get_sub_group_local_id(), row = row0 + TILE_ROW(0), col = col0 + TILE_COL(0);
    #pragma unroll
    for (int i = 0; i < TM; i++)
        #pragma unroll
        for (int j = 0; j < TN; j++) sum[i][j] = 0.0f;
    for (int at = k0; at < k1; at += SUBGROUP) {
#if A_K_FAST
        float a[TM];
        #pragma unroll
        for (int i = 0; i < TM; i++) a[i] = at + lane < k1 ? load_a(s, row + i, at + lane) : 0.0f;
#endif
        #pragma unroll
        for (int k = 0; k < SUBGROUP; k++) {
            bool inside = at + k < k1;
#if !A_K_FAST
            float a = inside && lane < TM ? load_a(s, row + lane, at + k) : 0.0f;
#endif
            float b[TN];
            #pragma unroll
            for (int j = 0; j < TN; j++)
                b[j] = inside ? load_b(s, at + k, col + j * SUBGROUP) : 0.0f;
            #pragma unroll
            for (int i = 0; i < TM; i++) {
#if A_K_FAST
                float x = intel_sub_group_shuffle(a[i], k);
#else
                float x = intel_sub_group_shuffle(a, i);
#endif
                #pragma unroll
                for (int j = 0; j < TN; j++) sum[i][j] = fma(x, b[j], sum[i][j]);
            }
        }
    }
}
