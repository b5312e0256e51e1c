/* SPDX-License-Identifier: MIT
 *
 * The offset table of ABI 1.0 as assertions of the compiler, against today's header; C11 and C++17. */
#include <lehr/plugin.h>

#ifdef __cplusplus
#define ASSERT(condition, text) static_assert(condition, text)
#else
#define ASSERT(condition, text) _Static_assert(condition, text)
#endif

#if UINTPTR_MAX == 0xffffffffffffffffu
#define STRUCT(type, size) ASSERT(sizeof(type) == size, "size of " #type);
#define FIELD(type, field, offset, size)                                                           \
    ASSERT(offsetof(type, field) == offset, "offset of " #type "." #field);                        \
    ASSERT(sizeof(((type *)0)->field) == size, "size of " #type "." #field);
#else /* the table is that of 64-bit machines */
#define STRUCT(type, size)
#define FIELD(type, field, offset, size)
#endif
#define CONSTANT(name, value) ASSERT((long long)name == value, "value of " #name);

#include "layout-1.0.h"

extern const int lehr_abi_layout;
const int lehr_abi_layout = LEHR_ABI;
