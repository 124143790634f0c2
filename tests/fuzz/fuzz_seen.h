/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What came of the same packets through one path, and through another.
 */

#ifndef FUZZ_SEEN_H
#define FUZZ_SEEN_H

#include "fuzz_frame.h"

#define FUZZ_SEEN_MAX 24

struct fuzz_seen {
	uint8_t bytes[FUZZ_FRAME_MAX + 8];
	uint32_t len;
	uint64_t flags;
	uint32_t ptype, hash;
	uint16_t tci, segsz;
	struct sluice_net_hdr hdr;
};

struct fuzz_run {
	struct fuzz_seen seen[FUZZ_SEEN_MAX];
	unsigned int nb;
	uint64_t nb_bad_hdr, nb_bad_gso, nb_errors;
};

/* Another row, without vectors, that does the same. */
unsigned int fuzz_plain_row(const struct env_conf *like);
/* In each bit. */
void fuzz_expect_same(const struct fuzz_run *a, const struct fuzz_run *b, const char *row);

#endif /* FUZZ_SEEN_H */
