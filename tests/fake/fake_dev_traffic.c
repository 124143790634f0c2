/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Packets in and out of the fake device, and what it wants to be told of.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake_dev.h"
#include "fake_error.h"

static uint32_t
pick(struct fake_dev *dev, enum fake_order order)
{
	if (order != FAKE_SHUFFLED)
		return 0;
	if (dev->conf.is_in_order)
		fail_msg("IN_ORDER and shuffled");
	return fake_below(&dev->random, dev->window < dev->nb_held ? dev->window : dev->nb_held);
}

void
fake_dev_complete(struct fake_dev *dev, uint32_t nb, enum fake_order order)
{
	uint32_t n;

	for (; nb != 0; nb -= n) {
		n = 1;
		if (order == FAKE_BATCHES) {
			n = 1 + fake_below(&dev->random, nb);
			fake_dev_use_batch(dev, n, 0);
		} else {
			fake_dev_use(dev, pick(dev, order), 0);
		}
	}
}

void
fake_dev_write(struct fake_dev *dev, struct fake_buf *b, uint32_t at, const void *data,
		uint32_t len)
{
	const uint8_t *from = data;
	uint16_t i;

	for (i = 0; i < b->nb_parts && len != 0; i++) {
		uint32_t n = b->parts[i].len;
		uint8_t *va = fake_domain_reach(dev->dom, b->parts[i].da, n);

		if (at >= n) {
			at -= n;
			continue;
		}
		n = n - at < len ? n - at : len;
		if (va != NULL)
			memcpy(va + at, from, n);
		from += n;
		len -= n;
		at = 0;
	}
	if (len != 0)
		fail_msg("%s: the test writes %u bytes more than there is room",
				fake_context_text(), len);
}

void
fake_dev_write_header(struct fake_dev *dev, struct fake_buf *b, uint16_t num_buffers)
{
	struct sluice_net_hdr_tunnel all = { .hash = dev->hash };

	all.hash.hdr = dev->offload;
	all.hash.hdr.num_buffers = num_buffers;
	fake_dev_write(dev, b, 0, &all, fake_dev_hdr_len(dev));
}

uint32_t
fake_dev_hdr_len(const struct fake_dev *dev)
{
	if (dev->conf.has_tunnel)
		return SLUICE_NET_HDR_TUNNEL_LEN;
	return dev->conf.has_hash ? SLUICE_NET_HDR_HASH_LEN : SLUICE_NET_HDR_LEN;
}

/* Buffers that a packet of len bytes, header included, needs; 0: there are not enough. */
static uint32_t
nb_needed(struct fake_dev *dev, uint32_t len)
{
	uint32_t nb = 0;

	while (len != 0) {
		uint32_t room;

		if (nb == dev->nb_held || (nb == 1 && !dev->conf.has_mrg))
			return 0;
		room = fake_dev_room(fake_dev_held(dev, nb++));
		len -= room < len ? room : len;
	}
	return nb;
}

bool
fake_dev_deliver(struct fake_dev *dev, const uint8_t *data, uint32_t len, enum fake_order order)
{
	uint32_t nb = nb_needed(dev, fake_dev_hdr_len(dev) + len), left = len, i, n, at;
	uint32_t at_once = order == FAKE_BATCHES ? nb : 0;

	if (nb == 0)
		return false;
	for (i = 0; i < nb; i++) {
		/* All buffers are alike here, so any nb of them will do. */
		uint32_t nth = at_once != 0 ? i : pick(dev, order);
		struct fake_buf *b = fake_dev_held(dev, nth);

		at = 0;
		if (i == 0) {
			fake_dev_write_header(
					dev, b, nb == 1 && dev->leaves_num_buffers_0 ? 0 : nb);
			at = fake_dev_hdr_len(dev);
		}
		n = fake_dev_room(b) - at;
		n = n < left ? n : left;
		fake_dev_write(dev, b, at, data + len - left, n);
		left -= n;
		if (at_once == 0)
			fake_dev_use(dev, nth, at + n);
		else if (i + 1 == nb)
			fake_dev_use_batch(dev, nb, at + n);
	}
	return true;
}

void
fake_dev_want_no_kick(struct fake_dev *dev, bool no_kick)
{
	if (dev->conf.is_packed)
		dev->packed.device_event->flags = no_kick ? SLUICE_EVENT_DISABLE :
							    SLUICE_EVENT_ENABLE;
	else
		dev->split.used->flags = no_kick ? SLUICE_USED_F_NO_NOTIFY : 0;
}

void
fake_dev_want_event(struct fake_dev *dev, uint16_t event)
{
	uint16_t *avail_event;

	if (!dev->conf.has_event_idx)
		fail_msg("events need EVENT_IDX");
	if (dev->conf.is_packed) {
		dev->packed.device_event->off_wrap = event;
		dev->packed.device_event->flags = SLUICE_EVENT_DESC;
	} else {
		avail_event = (uint16_t *)&dev->split.used->ring[dev->conf.size];
		*avail_event = event;
	}
}
