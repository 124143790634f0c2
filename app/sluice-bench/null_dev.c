/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The work of the null device as far as it does not depend on the ring type: the loops and the
 * three models. It must never trust what the driver wrote without a check.
 */
#include "null_dev.h"

#include <errno.h>
#include <string.h>

#include <linux/virtio_net.h>

#include <rte_common.h>

static int
ring_pop(struct null_dev *dev, struct null_ring *ring, struct null_buf *buf)
{
	if (dev->error != NULL)
		return -EIO;
	return dev->is_packed ? null_packed_pop(dev, ring, buf) : null_split_pop(dev, ring, buf);
}

/* The same sequence in each run, so that counts of instructions repeat. */
static void
shuffle(struct null_dev *dev, struct null_ring *ring)
{
	uint16_t i;

	for (i = ring->nb_shadow - 1; i > 0; i--) {
		const struct null_used last = ring->used_shadow[i];
		uint16_t other;

		dev->shuffle_state = dev->shuffle_state * 1664525 + 1013904223;
		other = (dev->shuffle_state >> 16) % (i + 1);
		ring->used_shadow[i] = ring->used_shadow[other];
		ring->used_shadow[other] = last;
	}
}

static void
ring_flush(struct null_dev *dev, struct null_ring *ring)
{
	if (ring->nb_shadow == 0)
		return;
	if (dev->is_shuffled)
		shuffle(dev, ring);
	if (dev->is_packed)
		null_packed_flush(dev, ring);
	else
		null_split_flush(ring);
	ring->nb_shadow = 0;
}

static void
ring_used(struct null_ring *ring, const struct null_buf *buf, uint32_t written)
{
	ring->used_shadow[ring->nb_shadow++] = (struct null_used){
		.id = buf->id,
		.nb_slots = buf->nb_slots,
		.written = written,
	};
}

/* N1 and N2 on a transmitted packet: what vhost loads before it copies. */
static void
model_read(struct null_dev *dev, const struct null_buf *buf)
{
	const volatile uint8_t *hdr = buf->seg[0].va;
	uint16_t i;
	uint32_t off;

	if (dev->model >= NULL_N1)
		dev->sink += hdr[0] + hdr[1];
	if (dev->model < NULL_N2)
		return;
	for (i = 0; i < buf->nb_seg; i++)
		for (off = 0; off < buf->seg[i].len; off += 8)
			dev->sink += ((const volatile uint8_t *)buf->seg[i].va)[off];
}

/* The next transmitted packet, checked. Negative or 0: there is none. */
static int
tx_take(struct null_dev *dev, struct null_ring *ring, struct null_buf *buf)
{
	const int ret = ring_pop(dev, ring, buf);

	if (ret > 0 && buf->len <= dev->hdr_len) {
		dev->error = "transmitted packet shorter than its header";
		return -EINVAL;
	}
	return ret;
}

/* A transmitted packet is done with. */
static void
tx_complete(struct null_dev *dev, struct null_ring *ring, const struct null_buf *buf)
{
	ring->packets++;
	ring->bytes += buf->len - dev->hdr_len;
	ring_used(ring, buf, 0);
	if (ring->nb_shadow >= NULL_BATCH)
		ring_flush(dev, ring);
}

/*
 * Buffers of one descriptor each, a batch at once, as long as nothing but rings and headers has to
 * be touched.
 */
static uint16_t
ring_run(struct null_dev *dev, struct null_ring *ring, struct null_run *run, uint32_t nb_max)
{
	uint16_t nb;

	run->is_over = false;
	run->nb_max = RTE_MIN(nb_max, (uint32_t)NULL_BATCH);
	if (ring->nb_shadow != 0 || dev->is_shuffled || dev->error != NULL)
		return 0;
	nb = dev->is_packed ? null_packed_run(dev, ring, run) : null_split_run(dev, ring, run);
	ring->packets += nb;
	if (ring->is_tx)
		ring->bytes -= nb * dev->hdr_len;
	return nb;
}

uint32_t
null_dev_consume(struct null_dev *dev, uint16_t pair, uint32_t nb_max)
{
	struct null_run run = { .min_len = dev->hdr_len + 1 };
	struct null_ring *ring = &dev->tx[pair];
	struct null_buf buf;
	uint32_t nb = 0;

	while (nb < nb_max) {
		uint16_t done = 0;

		if (dev->model == NULL_N0)
			done = ring_run(dev, ring, &run, nb_max - nb);
		nb += done;
		if (run.is_over)
			break;
		if (done != 0)
			continue;
		if (tx_take(dev, ring, &buf) <= 0)
			break;
		if (dev->model != NULL_N0)
			model_read(dev, &buf);
		tx_complete(dev, ring, &buf);
		nb++;
	}
	ring_flush(dev, ring);
	return nb;
}

/* Copy `len` bytes to offset `off` of the buffer's segments. */
static void
buf_write(const struct null_buf *buf, uint32_t off, const uint8_t *src, uint32_t len)
{
	uint16_t i;

	for (i = 0; i < buf->nb_seg && len > 0; i++) {
		const struct null_seg *seg = &buf->seg[i];
		uint32_t n;

		if (off >= seg->len) {
			off -= seg->len;
			continue;
		}
		n = RTE_MIN(len, seg->len - off);
		memcpy(seg->va + off, src, n);
		src += n;
		len -= n;
		off = 0;
	}
}

static struct virtio_net_hdr_mrg_rxbuf
model_header(const struct null_dev *dev, uint16_t nb_buffers)
{
	return (struct virtio_net_hdr_mrg_rxbuf){
		.hdr.flags = dev->hdr_flags,
		.num_buffers = nb_buffers,
	};
}

static void
model_write_header(const struct null_dev *dev, const struct null_buf *buf, uint16_t nb_buffers)
{
	const struct virtio_net_hdr_mrg_rxbuf want = model_header(dev, nb_buffers);

	if (buf->seg[0].len >= dev->hdr_len && dev->hdr_len == sizeof(want))
		null_header_write(buf->seg[0].va, &want);
	else
		buf_write(buf, 0, (const uint8_t *)&want, dev->hdr_len);
}

/*
 * Take buffers for `need` bytes. Returns how many, 0 if there are too few: then nothing is taken.
 */
static uint32_t
rx_take(struct null_dev *dev, struct null_ring *ring, struct null_buf *bufs, uint32_t need)
{
	const uint16_t avail_idx = ring->avail_idx;
	const bool avail_wrap = ring->avail_wrap;
	const uint32_t max = dev->is_mergeable ? NULL_MAX_MERGE : 1;
	uint32_t nb = 0, room = 0;

	while (room < need && nb < max) {
		if (ring_pop(dev, ring, &bufs[nb]) <= 0)
			break;
		if (bufs[nb].len < dev->hdr_len) {
			dev->error = "receive buffer shorter than the header";
			return 0;
		}
		room += bufs[nb++].len;
	}
	if (room >= need)
		return nb;
	if (nb == max)
		dev->error = "receive buffers too small for the packet";
	ring->avail_idx = avail_idx;
	ring->avail_wrap = avail_wrap;
	return 0;
}

/* A packet of `need` bytes, header included, that takes several buffers. */
static __rte_noinline bool
rx_put_many(struct null_dev *dev, struct null_ring *ring, enum null_model model,
		const uint8_t *frame, uint32_t need)
{
	struct null_buf bufs[NULL_MAX_MERGE];
	const uint32_t nb_bufs = rx_take(dev, ring, bufs, need);
	uint32_t left = need, i;

	if (nb_bufs != 0 && dev->is_shuffled)
		dev->error = "the buffers of one packet cannot be shuffled";
	if (nb_bufs == 0 || dev->error != NULL)
		return false;
	/* such a packet must say so whatever the model is */
	model_write_header(dev, &bufs[0], nb_bufs);
	for (i = 0; i < nb_bufs; i++) {
		const uint32_t written = RTE_MIN(left, bufs[i].len);
		const uint32_t skip = i == 0 ? dev->hdr_len : 0;

		if (model >= NULL_N2)
			buf_write(&bufs[i], skip, frame, written - skip);
		frame += written - skip;
		left -= written;
		ring_used(ring, &bufs[i], written);
	}
	return true;
}

/* One packet of `len` bytes from `frame`. False: too few buffers, or an error. */
static bool
rx_put(struct null_dev *dev, struct null_ring *ring, enum null_model model, const uint8_t *frame,
		uint32_t len)
{
	const uint32_t need = dev->hdr_len + len;
	const uint16_t avail_idx = ring->avail_idx;
	const bool avail_wrap = ring->avail_wrap;
	struct null_buf buf;

	if (ring_pop(dev, ring, &buf) <= 0)
		return false;
	if (likely(buf.len >= need)) {
		if (model >= NULL_N1 || dev->must_write_header)
			model_write_header(dev, &buf, 1);
		if (model >= NULL_N2)
			buf_write(&buf, dev->hdr_len, frame, len);
		ring_used(ring, &buf, need);
	} else {
		ring->avail_idx = avail_idx;
		ring->avail_wrap = avail_wrap;
		if (!rx_put_many(dev, ring, model, frame, need))
			return false;
	}
	ring->packets++;
	if (ring->nb_shadow >= NULL_BATCH)
		ring_flush(dev, ring);
	return true;
}

uint32_t
null_dev_produce(struct null_dev *dev, uint16_t pair, uint32_t nb, uint32_t len)
{
	const bool has_header = dev->model != NULL_N0 || dev->must_write_header;
	struct null_run run = {
		.min_len = dev->hdr_len + len,
		.written = dev->hdr_len + len,
		.has_header = has_header,
		.header = model_header(dev, 1),
	};
	const bool may_run = dev->model != NULL_N2 && dev->hdr_len == sizeof(run.header);
	struct null_ring *ring = &dev->rx[pair];
	uint32_t nb_put = 0;

	/* as vhost: the misses of a batch shall overlap */
	if (has_header) {
		if (dev->is_packed)
			null_packed_prefetch(dev, ring, nb);
		else
			null_split_prefetch(dev, ring, nb);
	}
	while (nb_put < nb) {
		uint16_t done = 0;

		if (may_run)
			done = ring_run(dev, ring, &run, nb - nb_put);
		nb_put += done;
		if (run.is_over)
			break;
		if (done != 0)
			continue;
		if (!rx_put(dev, ring, dev->model, dev->frame, len))
			break;
		nb_put++;
	}
	ring_flush(dev, ring);
	return nb_put;
}

/* The packet behind the header, in one piece. Returns its length. */
static uint32_t
gather(const struct null_dev *dev, const struct null_buf *buf, uint8_t *frame)
{
	uint32_t skip = dev->hdr_len, len = 0;
	uint16_t i;

	for (i = 0; i < buf->nb_seg; i++) {
		const struct null_seg *seg = &buf->seg[i];
		const uint32_t from = RTE_MIN(skip, seg->len);
		const uint32_t n = RTE_MIN(seg->len - from, NULL_MAX_FRAME - len);

		memcpy(frame + len, seg->va + from, n);
		skip -= from;
		len += n;
	}
	return len;
}

uint32_t
null_dev_echo(struct null_dev *dev, uint16_t pair, uint32_t nb_max)
{
	struct null_ring *tx = &dev->tx[pair], *rx = &dev->rx[pair];
	struct null_buf buf;
	uint32_t nb;

	for (nb = 0; nb < nb_max && tx_take(dev, tx, &buf) > 0; nb++) {
		const uint32_t len = gather(dev, &buf, dev->frame);

		if (!rx_put(dev, rx, NULL_N2, dev->frame, len))
			dev->nb_not_echoed++;
		tx_complete(dev, tx, &buf);
	}
	/* the packet's way back first: that is what somebody waits for */
	ring_flush(dev, rx);
	ring_flush(dev, tx);
	return nb;
}

struct null_counts
null_dev_counts(const struct null_dev *dev)
{
	struct null_counts sum = { 0 };
	uint16_t i;

	for (i = 0; i < dev->nb_pairs; i++) {
		sum.tx_packets += dev->tx[i].packets;
		sum.tx_bytes += dev->tx[i].bytes;
		sum.rx_packets += dev->rx[i].packets;
	}
	return sum;
}
