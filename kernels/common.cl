/* SPDX-License-Identifier: MIT
 *
 * Included first by every kernel source: contraction rule, vector type of this device's width,
 * Philox.  -DVW=4|8|16 selects the vector; LH_V is float4, float8 or float16.  VW=2 and 1 (plain
 * float) let one source serve channel counts that no wider vector divides. */
#pragma OPENCL FP_CONTRACT OFF
#ifdef __clang__ /* functions are inlined: how they would return vectors does not matter */
#pragma clang diagnostic ignored "-Wpsabi"
#endif

#ifndef VW
#define VW 8
#endif
#define LH_CAT_(a, b) a##b
#define LH_CAT(a, b) LH_CAT_(a, b)
#if VW == 1
#define LH_V float
#define LH_VI int
#define LH_VLOAD(offset, from) ((from)[offset])
#define LH_VSTORE(value, offset, to) ((to)[offset] = (value))
#else
#define LH_V LH_CAT(float, VW)
#define LH_VI LH_CAT(int, VW)
#ifdef __clang__
/* One instruction each at any address; drivers exist that take vloadn and vstoren to pieces. */
typedef LH_V lh_vector_anywhere __attribute__((aligned(4)));
#define LH_MOVES(space)                                                                            \
    __attribute__((overloadable, always_inline)) LH_V lh_vload(ulong offset,                       \
                                                               const space float *from)            \
    {                                                                                              \
        return *(const space lh_vector_anywhere *)(from + offset * VW);                            \
    }                                                                                              \
    __attribute__((overloadable, always_inline)) void lh_vstore(LH_V value, ulong offset,          \
                                                                space float *to)                   \
    {                                                                                              \
        *(space lh_vector_anywhere *)(to + offset * VW) = value;                                   \
    }
LH_MOVES(__global)
LH_MOVES(__local)
LH_MOVES(__private)
#define LH_VLOAD lh_vload
#define LH_VSTORE lh_vstore
#else
#define LH_VLOAD LH_CAT(vload, VW)
#define LH_VSTORE LH_CAT(vstore, VW)
#endif
#endif

/* For what is not read again soon: past the caches where the compiler knows how, without fetching what
 * was there before.  to: aligned to a whole vector. */
#ifdef __has_builtin
#if __has_builtin(__builtin_nontemporal_store) && VW > 1
#define LH_VSTREAM(value, offset, to)                                                              \
    __builtin_nontemporal_store((LH_V)(value), (__global LH_V *)((to) + (offset) * VW))
#endif
/* The cache line at p will be read, but not at once.  SPIR has no such instruction. */
#if __has_builtin(__builtin_prefetch) && !defined(__SPIR__) && !defined(__SPIRV__)
#define LH_PREFETCH(p) __builtin_prefetch((const void *)(size_t)(p), 0, 2)
#endif
#endif
#ifndef LH_VSTREAM
#define LH_VSTREAM LH_VSTORE
#endif
#ifndef LH_PREFETCH
#define LH_PREFETCH(p) (void)(p)
#endif

/* Loops over a register tile of the GPU family.  -DUNROLL=0 leaves them as loops (traits' unroll). */
#ifndef UNROLL
#define UNROLL 1
#endif
#if UNROLL
#define LH_UNROLL _Pragma("unroll")
#define LH_UNROLL_4 _Pragma("unroll 4")
#else
#define LH_UNROLL _Pragma("unroll 1")
#define LH_UNROLL_4 _Pragma("unroll 1")
#endif

/* Whether LH_VSTREAM may store here. */
#define LH_ALIGNED(to) ((size_t)(to) % sizeof(LH_V) == 0)

/* A task: one work-item in its work-group, with a loop of its own (CPU family). */
#define LH_TASK __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
