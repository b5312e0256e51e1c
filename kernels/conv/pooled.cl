/* SPDX-License-Identifier: MIT
 *
 * Part of kernels whose epilogue pools (conv.h, pool): the maximum of a 2x2 window in registers, and the
 * byte that says where it was, as kernels/pool has them: the first in row order or the last NaN; 255 after
 * a ReLU for a maximum not above zero.  -DWHERE=0|1: the byte is written; -DRELU: act is ReLU. */
#if VW == 1
#define TO_PLACES (uchar)
#define PUT_PLACES(places, to) (*(to) = (places))
#else
typedef LH_CAT(uchar, VW) lh_places;
#define TO_PLACES LH_CAT(convert_uchar, VW)
#ifdef __clang__ /* as in common.cl */
typedef lh_places lh_places_anywhere __attribute__((aligned(1)));
#define PUT_PLACES(places, to) (*(__global lh_places_anywhere *)(to) = (places))
#else
#define PUT_PLACES(places, to) LH_CAT(vstore, VW)(places, 0, to)
#endif
#endif

/* a b over c d, after the activation, to y and where; only the first `channels` lanes of them. */
void put_pooled(LH_V a, LH_V b, LH_V c, LH_V d, __global float *y, __global uchar *where, int channels)
{
    LH_VI place = (LH_VI)(0), better;
#define TAKE(value, k)                                                                             \
    better = ((value) > a) | ((value) != (value));                                                 \
    a = select(a, value, better);                                                                  \
    place = select(place, (LH_VI)(k), better);
    TAKE(b, 1)
    TAKE(c, 2)
    TAKE(d, 3)
#undef TAKE
#if RELU
    place = select((LH_VI)(255), place, a > (LH_V)(0.0f));
#endif
    if (channels < VW) {
        store_lanes(a, y, channels);
#if WHERE && VW > 1 /* of one lane there is none less */
        int places[VW];
        LH_CAT(vstore, VW)(place, 0, places);
        for (int i = 0; i < channels; i++) where[i] = (uchar)places[i];
#endif
        return;
    }
    LH_VSTORE(a, 0, y);
#if WHERE
    PUT_PLACES(TO_PLACES(place), where);
#endif
}
