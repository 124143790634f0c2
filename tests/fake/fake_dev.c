/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What split and packed rings have in common: held buffers, completions, checks.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_dev.h"
#include "fake_error.h"

static void *
ring_part(struct fake_domain *dom, uint64_t da, size_t len, size_t align, const char *what)
{
	void *va = fake_domain_reach(dom, da, len);

	if (va == NULL || da % align != 0)
		fail_msg("%s: the %s at 0x%lx, %zu bytes, cannot be reached or is not aligned",
				fake_context_text(), what, (unsigned long)da, len);
	return va;
}

static void
find_rings(struct fake_dev *dev)
{
	const struct fake_dev_conf *c = &dev->conf;
	struct fake_domain *dom = dev->dom;

	if (c->is_packed) {
		dev->packed.desc = ring_part(dom, c->desc, 16UL * c->size, 16, "ring");
		dev->packed.driver_event = ring_part(dom, c->driver, 4, 4, "driver event");
		dev->packed.device_event = ring_part(dom, c->device, 4, 4, "device event");
	} else {
		dev->split.desc = ring_part(
				dom, c->desc, 16UL * c->size, SLUICE_SPLIT_DESC_ALIGN, "table");
		dev->split.avail = ring_part(dom, c->driver, 6 + 2UL * c->size,
				SLUICE_SPLIT_AVAIL_ALIGN, "available ring");
		dev->split.used = ring_part(dom, c->device, 6 + 8UL * c->size,
				SLUICE_SPLIT_USED_ALIGN, "used ring");
	}
}

void
fake_dev_init(struct fake_dev *dev, struct fake_domain *dom, const struct fake_dev_conf *conf)
{
	memset(dev, 0, sizeof(*dev));
	dev->conf = *conf;
	dev->dom = dom;
	dev->random = conf->seed != 0 ? conf->seed : 0x2545f4914f6cdd1dULL;
	dev->window = 16;
	find_rings(dev);
	dev->avail = conf->is_packed ? conf->start & 0x7fff : conf->start;
	dev->used = dev->avail;
	dev->avail_wrap = conf->start >> 15;
	dev->used_wrap = dev->avail_wrap;
	dev->room = conf->size;
	dev->held = calloc(dev->room, sizeof(*dev->held));
	dev->copy = calloc(conf->size, sizeof(*dev->copy));
	dev->is_slot_held = calloc(conf->size, sizeof(bool));
}

static void
free_buf(struct fake_buf *b)
{
	free(b->parts);
	free(b->table);
	free(b);
}

void
fake_dev_forget_sent(struct fake_dev *dev)
{
	uint32_t i;

	for (i = 0; i < dev->nb_sent; i++)
		free(dev->sent[i].data);
	dev->nb_sent = 0;
}

void
fake_dev_fini(struct fake_dev *dev)
{
	uint32_t i;

	for (i = 0; i < dev->nb_held; i++)
		free_buf(fake_dev_held(dev, i));
	fake_dev_forget_sent(dev);
	free(dev->sent);
	free(dev->held);
	free(dev->copy);
	free(dev->is_slot_held);
	memset(dev, 0, sizeof(*dev));
}

struct fake_buf *
fake_dev_held(struct fake_dev *dev, uint32_t nth)
{
	if (nth >= dev->nb_held)
		fail_msg("%s: the device holds %u buffers, the test wants number %u",
				fake_context_text(), dev->nb_held, nth);
	return dev->held[(dev->first + nth) % dev->room];
}

static void *
desc_at(const struct fake_dev *dev, uint16_t slot)
{
	return dev->conf.is_packed ? (void *)&dev->packed.desc[slot] :
				     (void *)&dev->split.desc[slot];
}

void
fake_slot_hold(struct fake_dev *dev, struct fake_buf *b, uint16_t slot)
{
	memcpy(&dev->copy[slot], desc_at(dev, slot), sizeof(dev->copy[slot]));
	dev->is_slot_held[slot] = true;
	dev->nb_slots_held++;
	b->nb_slots++;
}

void
fake_buf_add(struct fake_dev *dev, struct fake_buf *b, uint64_t da, uint32_t len, bool is_writable)
{
	if (b->nb_parts != 0 && b->parts[b->nb_parts - 1].is_writable && !is_writable)
		fake_error("slot %u: a readable part follows a writable one", b->slot);
	if (is_writable == dev->conf.is_tx)
		fake_error("slot %u: a %s part", b->slot, is_writable ? "writable" : "readable");
	if (len == 0)
		fake_error("slot %u: part %u is empty", b->slot, b->nb_parts);
	if (fake_domain_reach(dev->dom, da, len) == NULL)
		fake_error("slot %u: part %u at 0x%lx, %u bytes, was not shown to the device",
				b->slot, b->nb_parts, (unsigned long)da, len);
	if (b->nb_parts == dev->conf.size)
		fake_error("slot %u: more parts than the queue has slots (%u)", b->slot,
				dev->conf.size);
	if (b->nb_parts == b->room) {
		b->room = b->room == 0 ? 4 : b->room * 2;
		b->parts = realloc(b->parts, b->room * sizeof(*b->parts));
	}
	b->parts[b->nb_parts++] =
			(struct fake_part){ .da = da, .len = len, .is_writable = is_writable };
}

const void *
fake_buf_table(struct fake_dev *dev, struct fake_buf *b, uint64_t da, uint32_t len)
{
	const void *table = fake_domain_reach(dev->dom, da, len);

	if (!dev->conf.has_indirect)
		fake_error("slot %u: INDIRECT was not negotiated", b->slot);
	if (len == 0 || len % 16 != 0 || len / 16 > dev->conf.size) {
		fake_error("slot %u: an indirect table of %u bytes, queue size %u", b->slot, len,
				dev->conf.size);
		return NULL;
	}
	if (table == NULL) {
		fake_error("slot %u: the indirect table was not shown to the device", b->slot);
		return NULL;
	}
	b->table = malloc(len);
	memcpy(b->table, table, len);
	b->table_len = len;
	b->table_da = da;
	dev->nb_indirect++;
	return b->table;
}

/* Flags that only go with a tunnel that can be (virtio 1.4, 5.1.6.2.1). */
static uint8_t
tunnel_flags(const struct fake_dev *dev, const struct sluice_net_hdr *hdr)
{
	const uint8_t both = SLUICE_NET_HDR_GSO_UDP_TUNNEL_IPV4 |
			SLUICE_NET_HDR_GSO_UDP_TUNNEL_IPV6;
	const uint8_t type = hdr->gso_type & both;

	if (type != 0 &&
			(!dev->conf.has_tunnel || type == both ||
					(hdr->gso_type & ~both) == SLUICE_NET_HDR_GSO_NONE))
		fake_error("a tunnel of gso_type 0x%x", hdr->gso_type);
	return type != 0 ? SLUICE_NET_HDR_F_UDP_TUNNEL_CSUM : 0;
}

/* The MUSTs for the header of a packet of len bytes (5.1.6.2.1, 5.1.6.2.2). */
static void
check_header(const struct fake_dev *dev, const struct fake_buf *b, const struct sluice_net_hdr *hdr,
		uint32_t len)
{
	static const struct sluice_net_hdr zero;

	if (memcmp(hdr, &zero, sizeof(zero)) == 0)
		return;
	if (!dev->conf.has_offloads)
		fake_error("slot %u: the net header of a packet of %u bytes is not zero", b->slot,
				len);
	if (hdr->num_buffers != 0)
		fake_error("slot %u: num_buffers is %u", b->slot, hdr->num_buffers);
	if ((hdr->flags & ~tunnel_flags(dev, hdr)) != SLUICE_NET_HDR_F_NEEDS_CSUM)
		fake_error("slot %u: flags are 0x%x", b->slot, hdr->flags);
	if (hdr->csum_start + hdr->csum_offset + 2u > len)
		fake_error("slot %u: the checksum is behind the packet's end", b->slot);
	if (hdr->gso_type == SLUICE_NET_HDR_GSO_NONE && (hdr->gso_size | hdr->hdr_len) != 0)
		fake_error("slot %u: lengths of segments, and no segments", b->slot);
	if (hdr->gso_type != SLUICE_NET_HDR_GSO_NONE &&
			(hdr->gso_size == 0 || hdr->hdr_len < hdr->csum_start ||
					hdr->hdr_len > len))
		fake_error("slot %u: segments of %u bytes behind %u of headers", b->slot,
				hdr->gso_size, hdr->hdr_len);
}

/* Header and data of a packet to send (5.1.6.2). */
static void
collect(struct fake_dev *dev, const struct fake_buf *b)
{
	uint32_t len = fake_dev_room(b), at = 0, hdr_len = fake_dev_hdr_len(dev);
	struct sluice_net_hdr_tunnel all = { 0 };
	const struct sluice_net_hdr_hash *hdr = &all.hash;
	uint8_t *bytes = malloc(len + 1);
	uint16_t i;

	for (i = 0; i < b->nb_parts; at += b->parts[i++].len) {
		const void *va = fake_domain_reach(dev->dom, b->parts[i].da, b->parts[i].len);

		if (va != NULL)
			memcpy(bytes + at, va, b->parts[i].len);
	}
	memcpy(&all, bytes, len < hdr_len ? len : hdr_len);
	if (len < hdr_len)
		fake_error("slot %u: a packet of %u bytes has no net header", b->slot, len);
	len = len < hdr_len ? 0 : len - hdr_len;
	check_header(dev, b, &hdr->hdr, len);
	if ((hdr->hash_value | hdr->hash_report | hdr->padding) != 0)
		fake_error("slot %u: a packet to be sent with a hash", b->slot);
	memmove(bytes, bytes + hdr_len, len);
	if (dev->nb_sent == dev->room_sent) {
		dev->room_sent = dev->room_sent == 0 ? 64 : dev->room_sent * 2;
		dev->sent = realloc(dev->sent, dev->room_sent * sizeof(*dev->sent));
	}
	dev->sent[dev->nb_sent++] = (struct fake_packet){ .hdr = hdr->hdr,
		.outer_th_offset = all.outer_th_offset,
		.inner_nh_offset = all.inner_nh_offset,
		.data = bytes,
		.len = len };
}

uint32_t
fake_dev_poll(struct fake_dev *dev)
{
	uint32_t nb = 0;
	struct fake_buf *b;

	for (;;) {
		/* A driver that went mad is not followed. */
		if (dev->nb_held == dev->room)
			break;
		b = dev->conf.is_packed ? fake_packed_fetch(dev) : fake_split_fetch(dev);
		if (b == NULL)
			break;
		if (dev->held_ids[b->id / 64] >> b->id % 64 & 1)
			fake_error("id %u was given while the device has it", b->id);
		dev->held_ids[b->id / 64] |= 1ULL << b->id % 64;
		if (b->nb_slots > 1)
			dev->nb_chained++;
		dev->held[(dev->first + dev->nb_held++) % dev->room] = b;
		if (dev->conf.is_tx)
			collect(dev, b);
		nb++;
	}
	dev->nb_fetched += nb;
	return nb;
}

static void
verify_slot(struct fake_dev *dev, uint16_t slot)
{
	if (memcmp(&dev->copy[slot], desc_at(dev, slot), sizeof(dev->copy[slot])) != 0)
		fake_error("slot %u was changed while the device has it", slot);
}

static void
verify_buf(struct fake_dev *dev, const struct fake_buf *b)
{
	const void *table;

	if (b->table == NULL)
		return;
	table = fake_domain_reach(dev->dom, b->table_da, b->table_len);
	if (table == NULL || memcmp(table, b->table, b->table_len) != 0)
		fake_error("slot %u: the indirect table was changed while the device has it",
				b->slot);
}

void
fake_dev_verify(struct fake_dev *dev)
{
	uint32_t i;

	for (i = 0; i < dev->conf.size; i++)
		if (dev->is_slot_held[i])
			verify_slot(dev, i);
	for (i = 0; i < dev->nb_held; i++)
		verify_buf(dev, fake_dev_held(dev, i));
}

/*
 * The slots of a used buffer. A packed ring gives back the slots at the used position, whatever
 * buffer was described there (2.8.6).
 */
static void
release_slots(struct fake_dev *dev, const struct fake_buf *b)
{
	uint16_t slot = dev->conf.is_packed ? dev->used : b->slot, i;

	for (i = 0; i < b->nb_slots; i++) {
		verify_slot(dev, slot);
		dev->is_slot_held[slot] = false;
		if (dev->conf.is_packed)
			slot = (slot + 1) % dev->conf.size;
		else
			slot = dev->copy[slot].split.next;
	}
	dev->nb_slots_held -= b->nb_slots;
	verify_buf(dev, b);
}

void
fake_dev_drop_held(struct fake_dev *dev, uint32_t nth)
{
	struct fake_buf *b = fake_dev_held(dev, nth);
	uint32_t i;

	for (i = nth; i > 0; i--)
		dev->held[(dev->first + i) % dev->room] =
				dev->held[(dev->first + i - 1) % dev->room];
	dev->first = (dev->first + 1) % dev->room;
	dev->nb_held--;
	dev->held_ids[b->id / 64] &= ~(1ULL << b->id % 64);
	free_buf(b);
}

static void
put_used(struct fake_dev *dev, uint32_t id, uint32_t len, uint16_t nb_slots, uint16_t nb_bufs)
{
	if (dev->conf.is_packed)
		fake_packed_put_used(dev, id, len, nb_slots);
	else
		fake_split_put_used(dev, id, len, nb_bufs);
}

void
fake_dev_use(struct fake_dev *dev, uint32_t nth, uint32_t len)
{
	struct fake_buf *b = fake_dev_held(dev, nth);

	release_slots(dev, b);
	put_used(dev, b->id, len, b->nb_slots, 1);
	fake_dev_drop_held(dev, nth);
}

void
fake_dev_use_batch(struct fake_dev *dev, uint32_t nb, uint32_t len)
{
	uint16_t nb_slots = 0, id, at = dev->used;
	uint32_t i;

	if (!dev->conf.is_in_order)
		fail_msg("batches need IN_ORDER");
	for (i = 0; i < nb; i++) {
		struct fake_buf *b = fake_dev_held(dev, i);

		release_slots(dev, b);
		nb_slots += b->nb_slots;
		if (dev->conf.is_packed)
			dev->used = (dev->used + b->nb_slots) % dev->conf.size;
	}
	dev->used = at;
	id = fake_dev_held(dev, nb - 1)->id;
	put_used(dev, id, len, nb_slots, nb);
	for (i = 0; i < nb; i++)
		fake_dev_drop_held(dev, 0);
}

void
fake_dev_lie_used(struct fake_dev *dev, uint32_t id, uint32_t len)
{
	put_used(dev, id, len, 1, 1);
}

uint32_t
fake_dev_room(const struct fake_buf *b)
{
	uint32_t len = 0;
	uint16_t i;

	for (i = 0; i < b->nb_parts; i++)
		len += b->parts[i].len;
	return len;
}
