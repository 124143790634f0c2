/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A mempool of packet mbufs in plain memory, without EAL. Objects in the pool are poisoned for
 * AddressSanitizer, objects that come back are checked: each once, to the pool that they came from,
 * in the state that DPDK demands. The memory is made of fake pages, each with a "file" of its own
 * as EAL's hugepages have; no buffer lies across two of them, and neighbours in the pool lie in
 * different ones.
 */

#ifndef FAKE_POOL_H
#define FAKE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#define FAKE_PAGE ((size_t)64 << 10)

struct fake_pool_conf {
	const char *name;
	uint32_t nb;
	uint16_t data_room; /* headroom included; 0: 2176 */
	bool is_pinned;     /* buffers outside of the mbufs */
	bool has_no_file;   /* memory that no device can be shown */
};

struct fake_pool {
	struct fake_pool_conf conf;
	struct rte_mempool *mp;
	char *mem; /* mbufs, and their buffers unless pinned */
	char *ext; /* pinned buffers */
	size_t mem_len, ext_len;
	size_t obj_len, buf_len;
	void **stack;
	uint32_t nb_free;
	uint8_t *is_free; /* per object */
	uint32_t limit;   /* how many objects may still be taken */
	uint64_t nb_refused;
	void (*on_put)(void *ctx); /* called when objects came back; NULL: nothing is */
	void *on_put_ctx;
};

#define FAKE_NO_LIMIT UINT32_MAX

struct fake_pool *fake_pool_create(const struct fake_pool_conf *conf);
/* Notes an error if objects are missing. Tells no domain; see fake_event_pool_destroyed(). */
void fake_pool_destroy(struct fake_pool *p);
struct fake_pool *fake_pool_of(const struct rte_mempool *mp);
/* Fails the test unless every object is back. */
void fake_pool_assert_full(const struct fake_pool *p);
/* The object that holds an address; its number, or UINT32_MAX. */
uint32_t fake_pool_index(const struct fake_pool *p, const void *obj);

/* From the pool, with len bytes of data at data_off; fails the test if there is none. */
struct rte_mbuf *fake_mbuf(struct fake_pool *p, uint16_t data_off, uint16_t len);
/* Give an mbuf a buffer outside of it. info must live until that is given back. */
void fake_mbuf_attach(struct rte_mbuf *m, void *buf, uint16_t room,
		struct rte_mbuf_ext_shared_info *info);
/* How many of these buffers were, since a test set this to 0. */
extern unsigned int fake_nb_ext_freed;
/* RFC 1071, by the book: the sum of a header, or of a packet's part; not complemented. */
uint16_t fake_sum(const uint8_t *bytes, uint32_t len);
/* Bytes of a packet that follow from its number: position and number are recognisable. */
void fake_fill(uint8_t *data, uint32_t len, uint64_t seed);
/* The same into a chain of mbufs. */
void fake_mbuf_fill(struct rte_mbuf *m, uint64_t seed);
/* Are the bytes of a packet those of fake_fill()? */
bool fake_mbuf_is(const struct rte_mbuf *m, uint32_t len, uint64_t seed);

#endif /* FAKE_POOL_H */
