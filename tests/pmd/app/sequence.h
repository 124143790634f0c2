/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets with sequence numbers, for puppet.c and vhost_peer.c: who receives them knows how many
 * are missing, and whether one came twice, out of order or damaged.
 */

#ifndef SEQUENCE_H
#define SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

#define SEQUENCE_LEN 64
/* IEEE 802 local experimental: nothing on the way looks inside. */
#define SEQUENCE_HEAD "\x02\0\0\0\0\xbb\x02\0\0\0\0\xaa\x88\xb5"
#define SEQUENCE_AT (sizeof(SEQUENCE_HEAD) - 1)

/* What came on one way; written by one thread, read by any that wants to know about how much. */
struct sequence {
	uint64_t next; /* number of the next packet, if none is missing */
	uint64_t nb;
	uint64_t nb_missing;
	uint64_t nb_bad; /* twice, out of order, or not what was sent */
};

/* Turns a fresh mbuf into packet number nr. */
static inline void
sequence_make(struct rte_mbuf *m, uint64_t nr)
{
	uint64_t numbers[2] = { nr, ~nr };
	char *data = rte_pktmbuf_mtod(m, char *);

	m->data_len = SEQUENCE_LEN;
	m->pkt_len = SEQUENCE_LEN;
	memset(data, 0, SEQUENCE_LEN);
	memcpy(data, SEQUENCE_HEAD, SEQUENCE_AT);
	memcpy(data + SEQUENCE_AT, numbers, sizeof(numbers));
}

static inline void
sequence_add(uint64_t *counter, uint64_t nb)
{
	__atomic_store_n(counter, *counter + nb, __ATOMIC_RELAXED);
}

static inline uint64_t
sequence_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static inline void
sequence_take(struct sequence *s, const struct rte_mbuf *m)
{
	const char *data = rte_pktmbuf_mtod(m, const char *);
	uint64_t numbers[2];

	memcpy(numbers, data + SEQUENCE_AT, sizeof(numbers));
	if (m->pkt_len != SEQUENCE_LEN || m->nb_segs != 1 ||
			memcmp(data, SEQUENCE_HEAD, SEQUENCE_AT) != 0 ||
			numbers[0] != ~numbers[1] || numbers[0] < s->next) {
		sequence_add(&s->nb_bad, 1);
		return;
	}
	sequence_add(&s->nb_missing, numbers[0] - s->next);
	s->next = numbers[0] + 1;
	sequence_add(&s->nb, 1);
}

#endif /* SEQUENCE_H */
