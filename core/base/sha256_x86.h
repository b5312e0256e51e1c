/* SPDX-License-Identifier: MIT
 *
 * SHA-256 by instruction, where the processor has it.  For core/base/files.c only. */
#ifndef LH_SHA256_X86_H
#define LH_SHA256_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool lh_sha256_x86(void);
/* Adds `count` blocks of 64 bytes to the state.  Only where lh_sha256_x86() is true. */
void lh_sha256_x86_blocks(uint32_t state[8], const uint8_t *bytes, size_t count);

#endif
