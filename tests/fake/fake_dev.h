/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The device side of a virtqueue, written from the specification; shares nothing with the driver
 * but the wire layouts. It reaches memory through the table that was shown, notes every broken
 * MUST of the driver with fake_error(), delivers and collects packets, completes them in any legal
 * way, and lies on request: a test may write the rings as it likes.
 *
 * Buffers that the driver made available are "held" from fake_dev_poll() until they are used.
 */

#ifndef FAKE_DEV_H
#define FAKE_DEV_H

#include <stdbool.h>
#include <stdint.h>

#include "fake_domain.h"
#include "sluice_spec.h"

struct fake_dev_conf {
	bool is_packed;
	bool is_tx; /* the driver transmits: readable buffers */
	uint16_t size;
	bool is_in_order;
	bool has_event_idx;
	bool has_indirect;
	bool has_mrg;
	bool has_hash;     /* HASH_REPORT: headers are longer */
	bool has_tunnel;   /* HOST_UDP_TUNNEL_GSO and _CSUM: longer still */
	bool has_offloads; /* CSUM, HOST_TSO4, HOST_TSO6, HOST_ECN and HOST_USO were negotiated */
	/* Device addresses of the three parts (2.7, 2.8). */
	uint64_t desc, driver, device;
	/*
	 * Where the counters start. Split: indices. Packed: slot, and bit 15 set if the wrap
	 * counter is 1.
	 */
	uint16_t start;
	uint64_t seed;
};

struct fake_part {
	uint64_t da;
	uint32_t len;
	bool is_writable;
};

/* Something that the driver made available. */
struct fake_buf {
	uint16_t id;
	uint16_t slot;
	uint16_t nb_slots;
	uint16_t nb_parts;
	uint16_t room;
	struct fake_part *parts;
	void *table; /* indirect: a copy as it was given */
	uint32_t table_len;
	uint64_t table_da;
};

struct fake_packet {
	struct sluice_net_hdr hdr;
	uint16_t outer_th_offset, inner_nh_offset;
	uint8_t *data;
	uint32_t len;
};

/* A descriptor of either ring type as 16 bytes. */
union fake_desc {
	struct sluice_split_desc split;
	struct sluice_packed_desc packed;
	uint8_t bytes[16];
};

struct fake_dev {
	struct fake_dev_conf conf;
	struct fake_domain *dom;
	union {
		struct {
			struct sluice_split_desc *desc;
			struct sluice_split_avail *avail;
			struct sluice_split_used *used;
		} split;
		struct {
			struct sluice_packed_desc *desc;
			struct sluice_packed_event *driver_event;
			struct sluice_packed_event *device_event;
		} packed;
	};
	/* Split: free-running. Packed: slots with wrap counters. */
	uint16_t avail, used;
	bool avail_wrap, used_wrap;
	/* Held buffers, oldest first. */
	struct fake_buf **held;
	uint32_t first, nb_held, room;
	uint16_t nb_slots_held;
	union fake_desc *copy; /* per slot: what must be there while it is held */
	bool *is_slot_held;
	uint64_t held_ids[65536 / 64];
	/* Transmitted packets, without their headers, in the order of the ring. */
	struct fake_packet *sent;
	uint32_t nb_sent, room_sent;
	uint64_t random;
	struct sluice_net_hdr offload; /* what headers of received packets say; num_buffers aside */
	struct sluice_net_hdr_hash hash; /* the same of their hashes, behind hdr */
	/*
	 * As DPDK's vhost library up to 22.11.0 does on packed rings: num_buffers of a packet of
	 * one buffer is not 1.
	 */
	bool leaves_num_buffers_0;
	uint32_t window; /* shuffled: how far from the oldest held buffer the device picks */
	uint64_t nb_indirect, nb_chained, nb_fetched;
};

/* Fails the test when the rings cannot be reached or are not aligned. */
void fake_dev_init(struct fake_dev *dev, struct fake_domain *dom, const struct fake_dev_conf *conf);
void fake_dev_fini(struct fake_dev *dev);

/* Fetch and check everything that is available. Returns how many buffers are new. */
uint32_t fake_dev_poll(struct fake_dev *dev);
/* Are the descriptors of all held buffers what they were when they were given? */
void fake_dev_verify(struct fake_dev *dev);

struct fake_buf *fake_dev_held(struct fake_dev *dev, uint32_t nth);
/* Use the nth oldest held buffer; len is what the used entry says. */
void fake_dev_use(struct fake_dev *dev, uint32_t nth, uint32_t len);
/* IN_ORDER: use the nb oldest with one entry, which says len of the last one. */
void fake_dev_use_batch(struct fake_dev *dev, uint32_t nb, uint32_t len);

enum fake_order {
	FAKE_ONE_BY_ONE, /* oldest first, one entry each */
	FAKE_BATCHES,    /* oldest first, one entry for several (IN_ORDER only) */
	FAKE_SHUFFLED,   /* any (not with IN_ORDER) */
};

/* Transmit: complete nb held buffers. */
void fake_dev_complete(struct fake_dev *dev, uint32_t nb, enum fake_order order);
void fake_dev_forget_sent(struct fake_dev *dev);

/*
 * Receive: put one packet into held buffers, over as many as it needs. False: not enough of them.
 * nb_buffers in the header and the order follow the specification.
 */
bool fake_dev_deliver(
		struct fake_dev *dev, const uint8_t *data, uint32_t len, enum fake_order order);
/* Bytes into a held receive buffer, header and data alike. */
void fake_dev_write(struct fake_dev *dev, struct fake_buf *b, uint32_t at, const void *data,
		uint32_t len);
/* A header with this num_buffers into a held receive buffer. */
void fake_dev_write_header(struct fake_dev *dev, struct fake_buf *b, uint16_t num_buffers);
uint32_t fake_dev_room(const struct fake_buf *b);
/* Of a packet's header. */
uint32_t fake_dev_hdr_len(const struct fake_dev *dev);

/* What the device wants to be told of. */
void fake_dev_want_no_kick(struct fake_dev *dev, bool no_kick);
/* EVENT_IDX: split: the index; packed: offset, and bit 15 the wrap counter. */
void fake_dev_want_event(struct fake_dev *dev, uint16_t event);

/* Where the device is in the ring of used entries, to be remembered. */
struct fake_used {
	uint16_t at;
	bool wrap;
};
struct fake_used fake_dev_used(const struct fake_dev *dev);
/*
 * Would the device interrupt for what it used since then (fake_dev_event.c)? As 2.7.7.2, 2.7.10.2,
 * 2.8.10 and 2.8.14 have it; nothing new: no.
 */
bool fake_dev_interrupts(const struct fake_dev *dev, struct fake_used since);

/* Lies. One used entry as written here, whatever is held; fake_dev_use() goes on behind it. */
void fake_dev_lie_used(struct fake_dev *dev, uint32_t id, uint32_t len);
/* Forget that a buffer is held, without using it. */
void fake_dev_drop_held(struct fake_dev *dev, uint32_t nth);

/* Inside (fake_dev_split.c, fake_dev_packed.c): the ring types. */
struct fake_buf *fake_split_fetch(struct fake_dev *dev);
void fake_split_put_used(struct fake_dev *dev, uint32_t id, uint32_t len, uint16_t nb_skipped);
struct fake_buf *fake_packed_fetch(struct fake_dev *dev);
void fake_packed_put_used(struct fake_dev *dev, uint32_t id, uint32_t len, uint16_t nb_slots);
void fake_buf_add(struct fake_dev *dev, struct fake_buf *b, uint64_t da, uint32_t len,
		bool is_writable);
/* Reads the table of an indirect buffer; NULL and an error if it may not be. */
const void *fake_buf_table(struct fake_dev *dev, struct fake_buf *b, uint64_t da, uint32_t len);
void fake_slot_hold(struct fake_dev *dev, struct fake_buf *b, uint16_t slot);

#endif /* FAKE_DEV_H */
