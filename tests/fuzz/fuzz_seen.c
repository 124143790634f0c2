/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "fuzz_seen.h"

unsigned int
fuzz_plain_row(const struct env_conf *like)
{
	struct env_conf c = *like;
	bool has_csum = env_has_csum(like), has_offloads = env_has_offloads(like);

	for (c.row = 0; c.row < env_nb_rows(c.is_tx); c.row++) {
		uint16_t bits = c.is_tx ? sluice_tx_path_at(c.row)->simd_bits :
					  sluice_rx_path_at(c.row)->simd_bits;

		if (bits == 0 && !env_is_copy(&c) && c.row != like->row &&
				(c.is_tx ? env_has_offloads(&c) == has_offloads :
					   env_has_csum(&c) == has_csum))
			return c.row;
	}
	return like->row;
}

void
fuzz_expect_same(const struct fuzz_run *a, const struct fuzz_run *b, const char *row)
{
	unsigned int i, k;

	fake_context("%s, beside one without vectors", row);
	fake_assert(a->nb == b->nb && a->nb_errors == b->nb_errors &&
					a->nb_bad_hdr == b->nb_bad_hdr &&
					a->nb_bad_gso == b->nb_bad_gso,
			"%u and %u came", a->nb, b->nb);
	for (i = 0; i < a->nb; i++) {
		const struct fuzz_seen *s = &a->seen[i], *t = &b->seen[i];

		fake_assert(s->len == t->len, "packet %u of %u and %u bytes", i, s->len, t->len);
		for (k = 0; k < s->len; k++)
			fake_assert(s->bytes[k] == t->bytes[k],
					"packet %u of %u bytes: byte %u is 0x%x and 0x%x", i,
					s->len, k, s->bytes[k], t->bytes[k]);
		fake_assert(s->flags == t->flags, "packet %u: flags 0x%lx and 0x%lx", i,
				(unsigned long)s->flags, (unsigned long)t->flags);
		fake_assert(s->ptype == t->ptype && s->hash == t->hash && s->tci == t->tci &&
						s->segsz == t->segsz &&
						memcmp(&s->hdr, &t->hdr, sizeof(s->hdr)) == 0,
				"packet %u is said to be another", i);
	}
}
