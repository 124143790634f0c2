/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The null device: the other end of a virtio-net port, reduced to what a device must do with the
 * rings. It keeps its own indices, publishes used entries in batches of 32 as vhost does, and
 * depending on the model it touches the packet's header and data too.
 *
 * One thread at a time may use a null_dev. It belongs to the caller of null_dev_attach() until
 * null_dev_detach(); the rings and the memory table belong to librte_vhost.
 * Everything the driver wrote into the rings is checked: a bad index, chain or address sets
 * `error` and the device does no more work.
 */
#ifndef NULL_DEV_H
#define NULL_DEV_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <rte_common.h>
#include <rte_vhost.h>

#define NULL_BATCH 32     /* used entries per publication, as vhost */
#define NULL_MAX_SEG 64   /* descriptors of one buffer */
#define NULL_MAX_MERGE 16 /* buffers of one received packet */
#define NULL_MAX_FRAME 9216
#define NULL_MAX_PAIRS 8 /* queue pairs */

enum null_model {
	NULL_N0, /* rings only */
	NULL_N1, /* and the virtio-net header, read-compare-write */
	NULL_N2, /* and every line of the packet */
};

struct null_seg {
	uint8_t *va;
	uint32_t len;
};

/* A buffer taken from the available ring: private copy, checked and translated. id and nb_slots are
 * not neighbours: one load of what two stores have just written would wait for both.
 */
struct null_buf {
	uint16_t id;
	uint16_t nb_seg;
	uint16_t nb_slots; /* ring slots that it occupies (packed) */
	uint32_t len;
	struct null_seg seg[NULL_MAX_SEG];
};

struct null_used {
	uint16_t id;
	uint16_t nb_slots;
	uint32_t written;
};

struct null_ring {
	/* constant after attach */
	struct rte_vhost_vring vring;
	uint16_t size;
	bool is_tx; /* the driver's transmit ring: the device reads */
	/* owned by the thread that steps the device */
	uint16_t avail_idx; /* split: free-running; packed: slot */
	uint16_t used_idx;
	uint16_t avail_seen; /* split: the driver's index as last read */
	bool avail_wrap;     /* packed */
	bool used_wrap;
	uint64_t packets; /* taken from a Tx ring, or put into an Rx ring */
	uint64_t bytes;   /* of a Tx ring, without the virtio-net header */
	uint16_t nb_shadow;
	struct null_used used_shadow[NULL_BATCH + NULL_MAX_MERGE];
};

/* A piece of the driver's memory, as this process sees it. */
struct null_region {
	uint64_t start; /* device address */
	uint64_t size;
	uint8_t *va;
};

struct null_dev {
	/* constant after attach */
	int vid;
	uint64_t features;
	uint32_t hdr_len;
	bool is_packed;
	bool is_in_order;
	bool is_mergeable;
	uint16_t nb_pairs;
	struct rte_vhost_memory *mem;
	/* may be changed between calls */
	enum null_model model;
	uint8_t hdr_flags;      /* in the header of received packets */
	bool must_write_header; /* of received packets, also in model N0 */
	bool is_shuffled; /* the buffers of a batch are used in any order; not with IN_ORDER */
	/* owned by the thread that steps the device */
	struct null_ring rx[NULL_MAX_PAIRS];
	struct null_ring tx[NULL_MAX_PAIRS];
	struct null_region last; /* of the memory table, met last */
	uint64_t nb_not_echoed;  /* for want of a receive buffer */
	uint32_t shuffle_state;
	uint64_t sink;                 /* keeps the loads of N1 and N2 alive */
	const char *error;             /* NULL while the driver behaves */
	uint8_t frame[NULL_MAX_FRAME]; /* what N2 writes */
};

struct null_counts {
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t rx_packets;
};

/** Fill `dev` from the running vhost device `vid` with its first `nb_pairs` queue pairs.
 * Returns 0 or -errno.
 */
int null_dev_attach(struct null_dev *dev, int vid, uint16_t nb_pairs, const void *frame,
		uint32_t frame_len);

/** Look again where the memory and the rings are; the indices stay. 0 or -errno. */
int null_dev_refresh(struct null_dev *dev);

/** Give back what attach took; accepts a zeroed object. */
void null_dev_detach(struct null_dev *dev);

/** Take what the driver transmitted on a pair, at most `nb_max` packets, and complete it.
 * Returns the packets taken.
 */
uint32_t null_dev_consume(struct null_dev *dev, uint16_t pair, uint32_t nb_max);

/** Fill up to `nb` packets of `len` bytes into a pair's receive buffers. Returns how many. */
uint32_t null_dev_produce(struct null_dev *dev, uint16_t pair, uint32_t nb, uint32_t len);

/** Copy what the driver transmitted on a pair, at most `nb_max` packets, into its receive buffers,
 * whatever the model is. A packet without a buffer is dropped. Returns the packets taken.
 */
uint32_t null_dev_echo(struct null_dev *dev, uint16_t pair, uint32_t nb_max);

/** Sums over all pairs. */
struct null_counts null_dev_counts(const struct null_dev *dev);

/** Evict the lines of all rings from every cache, so that the next access is a miss. */
void null_dev_flush_rings(struct null_dev *dev);

/** Doorbells rung since the last call. */
uint64_t null_dev_kicks(struct null_dev *dev);

/* Ring primitives, one pair per ring type.
 * pop: 1 = `buf` filled, 0 = nothing available, negative = the driver broke a rule (dev->error).
 * flush: write the used_shadow entries to the ring and make them visible.
 */
int null_split_pop(struct null_dev *dev, struct null_ring *ring, struct null_buf *buf);
void null_split_flush(struct null_ring *ring);
int null_packed_pop(struct null_dev *dev, struct null_ring *ring, struct null_buf *buf);
void null_packed_flush(const struct null_dev *dev, struct null_ring *ring);

/* A run of plain buffers, which have one descriptor each. */
struct null_run {
	uint16_t nb_max;
	uint32_t min_len; /* of a buffer */
	uint32_t written; /* into each, as the driver is told */
	bool has_header;  /* each gets this one */
	struct virtio_net_hdr_mrg_rxbuf header;
	/* out: there are no more; else the next one is not plain, or nb_max is reached */
	bool is_over;
};

/*
 * Take and complete at most nb_max buffers at once, up to the first that is not plain: that one
 * goes through pop, which says what is wrong with it, if anything. The used_shadow must be empty.
 * Returns how many.
 */
uint16_t null_split_run(struct null_dev *dev, struct null_ring *ring, struct null_run *run);
uint16_t null_packed_run(struct null_dev *dev, struct null_ring *ring, struct null_run *run);

/* Ask the cache for the first line of each of the next `nb` receive buffers, if they are there. */
void null_split_prefetch(struct null_dev *dev, const struct null_ring *ring, uint32_t nb);
void null_packed_prefetch(struct null_dev *dev, const struct null_ring *ring, uint32_t nb);

/*
 * The header as vhost writes it: lines that hold the right value already are only read, so that
 * they may stay shared between the caches of both sides.
 */
static inline void
null_header_write(void *va, const struct virtio_net_hdr_mrg_rxbuf *want)
{
	if (memcmp(va, want, sizeof(*want)) != 0)
		memcpy(va, want, sizeof(*want));
}

/* Device address to pointer; NULL unless all of [addr, addr + len) lies in one region. */
void *null_dev_find(struct null_dev *dev, uint64_t addr, uint64_t len);

/* The same, for the region that was met last. The device must be faster than what it measures, so
 * this and null_buf_add() are inline: they run once per descriptor.
 */
static inline void *
null_dev_va(struct null_dev *dev, uint64_t addr, uint64_t len)
{
	const struct null_region *last = &dev->last;

	if (addr - last->start < last->size && len <= last->size - (addr - last->start))
		return last->va + (addr - last->start);
	return null_dev_find(dev, addr, len);
}

/*
 * The lines of `len` bytes at `p` are about to be written, and the driver has them: ask for all at
 * once.
 */
static inline void
null_prefetch_write(const void *p, size_t len)
{
	const char *end = (const char *)p + len, *line;

	for (line = p; line < end; line += RTE_CACHE_LINE_SIZE)
#ifdef RTE_ARCH_X86
		asm volatile("prefetchw %0" : : "m"(*line));
#else
		__builtin_prefetch(line, 1);
#endif
}

/* Does a buffer fit into a run? It gets its header then. */
static inline bool
null_run_takes(struct null_dev *dev, struct null_region *reg, const struct null_run *run,
		uint64_t addr, uint32_t len)
{
	const uint64_t off = addr - reg->start;

	if (unlikely(len < run->min_len))
		return false;
	if (unlikely(off >= reg->size || len > reg->size - off)) {
		if (null_dev_find(dev, addr, len) == NULL)
			return false;
		*reg = dev->last;
	}
	if (run->has_header)
		null_header_write(reg->va + (addr - reg->start), &run->header);
	return true;
}

/* Translate and append one descriptor; negative (and dev->error) if it is not allowed. */
static inline int
null_buf_add(struct null_dev *dev, const struct null_ring *ring, struct null_buf *buf,
		uint64_t addr, uint32_t len, uint16_t flags)
{
	struct null_seg *seg = &buf->seg[buf->nb_seg];

	if (buf->nb_seg == NULL_MAX_SEG) {
		dev->error = "descriptor chain too long";
		return -E2BIG;
	}
	if (!(flags & VRING_DESC_F_WRITE) != ring->is_tx) {
		dev->error = "descriptor with the wrong direction";
		return -EINVAL;
	}
	seg->va = null_dev_va(dev, addr, len);
	if (seg->va == NULL) {
		dev->error = "descriptor address outside of the memory table";
		return -EFAULT;
	}
	seg->len = len;
	buf->len += len;
	buf->nb_seg++;
	return 0;
}

#endif /* NULL_DEV_H */
