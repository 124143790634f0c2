/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The bytes of an input, taken one after the other: what they decide is up to the target. Behind
 * the end all of them are 0.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

#include "env.h"

struct fuzz {
	const uint8_t *at;
	size_t left;
};

/* libFuzzer's. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static inline void
fuzz_take(struct fuzz *f, void *to, size_t len)
{
	size_t n = RTE_MIN(len, f->left);

	memset(to, 0, len);
	memcpy(to, f->at, n);
	f->at += n;
	f->left -= n;
}

/* A number of so many bytes, the lowest first. */
static inline uint64_t
fuzz_number(struct fuzz *f, size_t len)
{
	uint64_t v = 0;

	fuzz_take(f, &v, len);
	return rte_le_to_cpu_64(v);
}

static inline uint8_t
fuzz_u8(struct fuzz *f)
{
	return fuzz_number(f, sizeof(uint8_t));
}

static inline uint16_t
fuzz_u16(struct fuzz *f)
{
	return fuzz_number(f, sizeof(uint16_t));
}

static inline uint32_t
fuzz_u32(struct fuzz *f)
{
	return fuzz_number(f, sizeof(uint32_t));
}

static inline uint64_t
fuzz_u64(struct fuzz *f)
{
	return fuzz_number(f, sizeof(uint64_t));
}

/* A number in [0, n), n up to 65536. */
static inline uint32_t
fuzz_below(struct fuzz *f, uint32_t n)
{
	return (n <= 256 ? fuzz_u8(f) : fuzz_u16(f)) % n;
}

/* Of the table of paths, a row that this CPU can run. */
unsigned int fuzz_row(struct fuzz *f, bool is_tx);

#endif /* FUZZ_H */
