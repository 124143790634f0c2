/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A receive or transmit queue of the driver, set up as the port would do it, with a fake device at
 * its other end; and lists of tests that are made at run time, one for each way to set up a queue.
 */

#ifndef ENV_H
#define ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dmap.h"
#include "fake_dev.h"
#include "fake_domain.h"
#include "fake_eal.h"
#include "fake_error.h"
#include "fake_pool.h"
#include "sluice_path.h"
#include "sluice_queue_ctl.h"

#define ENV_BURST_MAX 512
/* As long as frames are, that dma_debug=1 knows of. */
#define ENV_FRAME (1500 + RTE_ETHER_HDR_LEN)

/* What packets ask for where all offloads are switched on. */
#define ENV_TX_FLAGS \
	(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_VLAN | \
			RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)
/* And where segments may be in tunnels. */
#define ENV_TUNNEL_FLAGS (RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_UDP_CKSUM)

struct env_conf {
	bool is_tx;
	unsigned int row; /* in the table of paths */
	bool is_in_order;
	bool has_mrg;
	bool has_csum; /* where the row leaves it open: of copies */
	bool has_event_idx;
	bool has_indirect;
	bool is_lying; /* the DMA domain */
	bool is_pinned;
	bool bounces; /* what the device does not reach is copied; no row that copies all */
	bool has_ecn;
	bool has_lro;
	bool has_hash;      /* HASH_REPORT: of rows that read headers, or have offloads */
	bool has_hash_only; /* and GUEST_CSUM was not negotiated; or with checks_ipv4, just that */
	bool has_tunnel;    /* HOST_UDP_TUNNEL_GSO and _CSUM: of the same rows */
	bool completes_csum;
	bool checks_ipv4;  /* of rows that read headers */
	bool is_checked;   /* dma_debug=1 */
	uint64_t tx_flags; /* that packets may have; 0: all, if the row has offloads */
	uint16_t size;
	/* Split: where the indices start. Packed: slot, and bit 15: the wrap counters are 0. */
	uint16_t start;
	uint16_t thresh;    /* 0: as the driver's default */
	uint16_t data_room; /* 0: 2176 */
	uint32_t nb_mbufs;  /* 0: twice the ring and 600 */
	enum fake_order order;
};

struct env {
	struct env_conf conf;
	struct fake_domain dom;
	struct dmap_domain *domain;
	struct dmap_coherent rings;
	struct fake_pool *pool;
	struct fake_dev dev;
	uint16_t *avail_shadow;
	int kick_fd;
	union {
		struct sluice_rxq rxq;
		struct sluice_txq txq;
		struct sluice_queue q;
	};
	const struct sluice_rx_path *rx;
	const struct sluice_tx_path *tx;
	uint64_t random;
	uint64_t nb_packets; /* seeds given to packets so far */
};

bool env_is_packed(const struct env_conf *conf);
bool env_is_split(const struct env_conf *conf);
bool env_has_mrg(const struct env_conf *conf);
bool env_has_csum(const struct env_conf *conf);
bool env_has_offloads(const struct env_conf *conf);
bool env_is_copy(const struct env_conf *conf);
/* The device has the mbufs themselves, and what it is not done with is not free. */
bool env_is_lent(const struct env_conf *conf);
bool env_is_unordered(const struct env_conf *conf);
/* "split, in order, mergeable, lying, 256" */
const char *env_name(const struct env_conf *conf);

unsigned int env_nb_rows(bool is_tx);
/* Does this CPU have the instructions of the row? */
bool env_can_run(const struct env_conf *conf);
/* Any row of which that is true. */
void env_pick_row(struct env_conf *conf);

/* The queue is running, receive queues are filled. */
struct env *env_open(const struct env_conf *conf);
/* With the configuration of a test's state, starting elsewhere. */
struct env *env_open_from(void **state, uint16_t start);
/* Drains, checks that every mbuf is back and that the fakes have nothing to say, frees. */
void env_close(struct env *e);
/*
 * The queue as it was after env_open(), the device too; cheaper. Drains and checks as env_close().
 */
void env_restart(struct env *e);
/* Stop the queue and give back its mbufs; every mbuf of the pool must be there then. */
void env_drain(struct env *e);

/* Kicks since the last call. */
uint64_t env_kicks(struct env *e);
bool env_has_failed(const struct env *e);

uint16_t env_rx(struct env *e, struct rte_mbuf **pkts, uint16_t nb);
uint16_t env_tx(struct env *e, struct rte_mbuf **pkts, uint16_t nb);
/* Bytes in a receive buffer. */
uint32_t env_post_len(const struct env *e);
/* The device's next packet: len bytes with a new seed. False: it has no buffers. */
bool env_deliver(struct env *e, uint32_t len);
/* The next packet must have these bytes; it is freed. */
void env_expect(struct env *e, uint32_t len, uint64_t seed);
/* The same for a burst that must be complete, seeds counting up; 0: none may come. */
void env_expect_burst(struct env *e, uint16_t nb, uint32_t len, uint64_t seed);
/* Whatever comes. */
uint16_t env_rx_and_free(struct env *e, uint16_t nb);
/* Packet number nth that the device collected. */
void env_expect_sent(struct env *e, uint32_t nth, uint32_t len, uint64_t seed);
/* The one packet that was given arrives as it is, and all that the device has is complete. */
void env_arrives(struct env *e, uint32_t len, uint64_t seed);
/* One packet that must arrive as it is; completes everything, reclaims it. */
void env_send_one(struct env *e, struct rte_mbuf *m, uint64_t seed);

/* Tests made at run time. fn gets a copy of conf as *state. */
typedef void (*suite_fn)(void **state);
void suite_add(suite_fn fn, const struct env_conf *conf, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
/*
 * Tests for each row of the table of paths: in-order or not, mergeable buffers or not, as far as
 * they meet in the code; lying domain, and the first of a row identity domain too.
 */
void suite_add_rx(suite_fn fn, const char *name);
void suite_add_tx(suite_fn fn, const char *name);
/* Only those that the filter takes. */
typedef bool (*suite_filter)(const struct env_conf *conf);
void suite_add_rx_if(suite_filter filter, suite_fn fn, const char *name);
void suite_add_tx_if(suite_filter filter, suite_fn fn, const char *name);
int suite_run(const char *name);

/* Of random traces: 1, or SLUICE_SEED, which is a number or "random" and is printed. */
uint64_t suite_seed(void);
/* All that happens to a packet follows from its number. Never 0. */
uint64_t suite_seed_of(uint64_t number);

#endif /* ENV_H */
