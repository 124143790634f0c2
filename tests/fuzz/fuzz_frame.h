/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Frames that an input makes: layers that go together or do not, and a few bytes of anything.
 */

#ifndef FUZZ_FRAME_H
#define FUZZ_FRAME_H

#include "fuzz.h"

#define FUZZ_FRAME_MAX 1500

struct fuzz_frame {
	uint8_t bytes[FUZZ_FRAME_MAX];
	uint32_t len;
	uint32_t l3, l4, end; /* where these would begin, and the payload */
	uint64_t flags;       /* of an mbuf to be sent: what it is */
};

void fuzz_frame(struct fuzz *f, struct fuzz_frame *out);

#endif /* FUZZ_FRAME_H */
