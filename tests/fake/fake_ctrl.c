/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <inttypes.h>
#include <string.h>

#include <rte_common.h>

#include "fake_ctrl.h"
#include "fake_error.h"

#define BITS (SLUICE_DESC_F_AVAIL | SLUICE_DESC_F_USED)

void
fake_ctrl_be_honest(struct fake_ctrl *c)
{
	c->is_silent = false;
	c->delay_ms = 0;
	c->ack = SLUICE_CTRL_OK;
	c->id_off = 0;
	c->len = 1;
	c->nb_extra = 0;
	c->is_batch = false;
	c->stats_type_off = 0;
	c->stats_missing = 0;
	c->refused = -1;
	c->most = UINT32_MAX;
}

void
fake_ctrl_init(struct fake_ctrl *c, struct fake_transport *ft)
{
	memset(c, 0, sizeof(*c));
	c->ft = ft;
	fake_ctrl_be_honest(c);
}

/* As a device is after its reset: it has heard nothing. */
static void
reset(struct fake_ctrl *c)
{
	c->avail = 0;
	c->used = 0;
	c->avail_wrap = true;
	c->used_wrap = true;
	c->nb_pending = 0;
	c->is_promiscuous = true;
	c->is_all_multicast = false;
	c->has_mac = false;
	c->table_len = 0;
	memset(c->vlans, 0, sizeof(c->vlans));
	c->nb_pairs = 1;
	c->has_rss = false;
	c->nb_announced = 0;
	c->nb_guest_offloads = 0;
	memset(c->coal, 0, sizeof(c->coal));
	c->nb_begins = c->ft->nb_begins;
}

static void
need(const struct fake_ctrl *c, unsigned int feature, const char *what)
{
	if (!(c->ft->features & SLUICE_BIT(feature)))
		fake_error("%s without the feature for it", what);
}

static void
need_len(uint32_t len, uint32_t wanted, const char *what)
{
	if (len != wanted)
		fake_error("%s: %u bytes, %u are right", what, len, wanted);
}

static uint32_t
read32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint8_t
set_table(struct fake_ctrl *c, const uint8_t *data, uint32_t len)
{
	uint32_t nb_uni = read32(data), nb_multi = read32(data + 4 + 6 * nb_uni);

	need_len(len, 8 + 6 * (nb_uni + nb_multi), "MAC table");
	if (nb_uni + nb_multi > c->most)
		return SLUICE_CTRL_ERR;
	memcpy(c->table, data, len);
	c->table_len = len;
	return SLUICE_CTRL_OK;
}

static uint8_t
set_vlan(struct fake_ctrl *c, uint8_t cmd, uint16_t id)
{
	uint64_t bit = 1ULL << id % 64;

	if (cmd == SLUICE_CTRL_VLAN_ADD)
		c->vlans[id / 64] |= bit;
	else
		c->vlans[id / 64] &= ~bit;
	return SLUICE_CTRL_OK;
}

static uint16_t
read16(const uint8_t *at)
{
	return at[0] | at[1] << 8;
}

/* As 5.1.6.5.7.1 lays it out, in two parts around a table. */
static uint8_t
set_rss(struct fake_ctrl *c, const uint8_t *data, uint32_t len)
{
	uint32_t nb, i;

	if (len < 8) {
		fake_error("RSS: %u bytes", len);
		return SLUICE_CTRL_ERR;
	}
	nb = read16(data + 4) + 1u;
	if (nb > FAKE_CTRL_RSS_MAX || !rte_is_power_of_2(nb) || len < 8 + 2 * nb + 3) {
		fake_error("RSS: %u entries in %u bytes", nb, len);
		return SLUICE_CTRL_ERR;
	}
	need_len(len, 8 + 2 * nb + 3 + data[8 + 2 * nb + 2], "RSS");
	c->rss_types = read32(data);
	if ((c->rss_types & ~c->ft->info.rss_types) != 0)
		fake_error("hash types 0x%x that the device has not", c->rss_types);
	c->rss_unclassified = read16(data + 6);
	c->nb_rss_entries = nb;
	for (i = 0; i < nb; i++)
		c->rss_table[i] = read16(data + 8 + 2 * i);
	c->nb_pairs = read16(data + 8 + 2 * nb);
	c->rss_key_len = data[8 + 2 * nb + 2];
	memcpy(c->rss_key, data + 8 + 2 * nb + 3, c->rss_key_len);
	c->has_rss = true;
	return SLUICE_CTRL_OK;
}

/* As 5.1.6.5.6.4 lays it out; the table of RSS, if there was one, is off. */
static uint8_t
set_hash(struct fake_ctrl *c, const uint8_t *data, uint32_t len)
{
	uint32_t i;

	if (len < 13) {
		fake_error("hashes: %u bytes", len);
		return SLUICE_CTRL_ERR;
	}
	need_len(len, 13 + data[12], "hashes");
	for (i = 4; i < 12; i++)
		if (data[i] != 0)
			fake_error("hashes: byte %u is 0x%x", i, data[i]);
	c->rss_types = read32(data);
	if ((c->rss_types & ~c->ft->info.rss_types) != 0)
		fake_error("hash types 0x%x that the device has not", c->rss_types);
	c->rss_key_len = data[12];
	memcpy(c->rss_key, data + 13, c->rss_key_len);
	c->has_rss = false;
	c->has_hash = true;
	return SLUICE_CTRL_OK;
}

/* What of the offloads for the driver that it has negotiated it wants now. */
static uint8_t
set_offloads(struct fake_ctrl *c, uint64_t offloads)
{
	need(c, SLUICE_NET_F_CTRL_GUEST_OFFLOADS, "offloads");
	if ((offloads & ~(uint64_t)c->ft->features) != 0)
		fake_error("offloads 0x%" PRIx64 " that were not negotiated", offloads);
	c->guest_offloads = offloads;
	c->nb_guest_offloads++;
	return SLUICE_CTRL_OK;
}

static const uint64_t known_stats = SLUICE_BIT(SLUICE_STATS_RX_BASIC) |
		SLUICE_BIT(SLUICE_STATS_TX_BASIC);

/* Counters that say whose they are: 100 * virtqueue + 1, and so on. */
static uint8_t
get_stats(struct fake_ctrl *c, uint16_t vq, uint32_t types)
{
	uint8_t type = vq % 2 != 0 ? SLUICE_STATS_TX_BASIC : SLUICE_STATS_RX_BASIC;
	uint64_t value;
	unsigned int i;

	need(c, SLUICE_NET_F_DEVICE_STATS, "statistics");
	if (types != SLUICE_BIT(type))
		fake_error("statistics 0x%x of virtqueue %u", types, vq);
	memset(c->result, 0, sizeof(c->result));
	c->result[0] = type + c->stats_type_off;
	c->result[2] = vq;
	c->result[6] = 48;
	for (i = 0; i < 5; i++) {
		value = 100 * vq + i + 1;
		memcpy(&c->result[8 + 8 * i], &value, sizeof(value));
	}
	c->result_len = 48 - c->stats_missing;
	return SLUICE_CTRL_OK;
}

static uint8_t
execute(struct fake_ctrl *c, const uint8_t *cmd, uint32_t len)
{
	const uint8_t *data = cmd + 2;
	uint16_t word = len < 4 ? 0 : data[0] | data[1] << 8;

	if (c->refused == cmd[0] * 256 + cmd[1])
		return SLUICE_CTRL_ERR;
	switch (cmd[0] * 256 + cmd[1]) {
	case SLUICE_CTRL_RX * 256 + SLUICE_CTRL_RX_PROMISC:
	case SLUICE_CTRL_RX * 256 + SLUICE_CTRL_RX_ALLMULTI:
		need(c, SLUICE_NET_F_CTRL_RX, "receive mode");
		need_len(len, 3, "receive mode");
		*(cmd[1] == SLUICE_CTRL_RX_PROMISC ? &c->is_promiscuous : &c->is_all_multicast) =
				data[0];
		return SLUICE_CTRL_OK;
	case SLUICE_CTRL_MAC * 256 + SLUICE_CTRL_MAC_TABLE_SET:
		need(c, SLUICE_NET_F_CTRL_RX, "MAC table");
		return set_table(c, data, len - 2);
	case SLUICE_CTRL_MAC * 256 + SLUICE_CTRL_MAC_ADDR_SET:
		need(c, SLUICE_NET_F_CTRL_MAC_ADDR, "MAC address");
		need_len(len, 8, "MAC address");
		memcpy(c->mac, data, sizeof(c->mac));
		c->has_mac = true;
		return SLUICE_CTRL_OK;
	case SLUICE_CTRL_VLAN * 256 + SLUICE_CTRL_VLAN_ADD:
	case SLUICE_CTRL_VLAN * 256 + SLUICE_CTRL_VLAN_DEL:
		need(c, SLUICE_NET_F_CTRL_VLAN, "VLAN");
		need_len(len, 4, "VLAN");
		return set_vlan(c, cmd[1], word % 4096);
	case SLUICE_CTRL_ANNOUNCE * 256 + SLUICE_CTRL_ANNOUNCE_ACK:
		need(c, SLUICE_NET_F_GUEST_ANNOUNCE, "announcement");
		need_len(len, 2, "announcement");
		c->nb_announced++;
		return SLUICE_CTRL_OK;
	case SLUICE_CTRL_MQ * 256 + SLUICE_CTRL_MQ_VQ_PAIRS_SET:
		need(c, SLUICE_NET_F_MQ, "queue pairs");
		need_len(len, 4, "queue pairs");
		c->nb_pairs = word;
		c->has_rss = false;
		c->has_hash = false;
		return SLUICE_CTRL_OK;
	case SLUICE_CTRL_STATS * 256 + SLUICE_CTRL_STATS_QUERY:
		need(c, SLUICE_NET_F_DEVICE_STATS, "statistics");
		need_len(len, 2, "what statistics there are");
		memcpy(c->result, &known_stats, sizeof(known_stats));
		c->result_len = sizeof(known_stats);
		return SLUICE_CTRL_OK;
	case SLUICE_CTRL_STATS * 256 + SLUICE_CTRL_STATS_GET:
		need_len(len, 18, "statistics");
		return get_stats(c, word, data[8] | data[10] << 16);
	case SLUICE_CTRL_NOTF_COAL * 256 + SLUICE_CTRL_NOTF_COAL_TX_SET:
	case SLUICE_CTRL_NOTF_COAL * 256 + SLUICE_CTRL_NOTF_COAL_RX_SET:
		need(c, SLUICE_NET_F_NOTF_COAL, "coalescing");
		need_len(len, 10, "coalescing");
		c->coal[cmd[1]] = (struct fake_ctrl_coal){ read32(data), read32(data + 4) };
		return SLUICE_CTRL_OK;
	case SLUICE_CTRL_GUEST_OFFLOADS * 256 + SLUICE_CTRL_GUEST_OFFLOADS_SET:
		need_len(len, 10, "offloads");
		return set_offloads(c, read32(data) | (uint64_t)read32(data + 4) << 32);
	case SLUICE_CTRL_MQ * 256 + SLUICE_CTRL_MQ_RSS_CONFIG:
		need(c, SLUICE_NET_F_RSS, "RSS");
		return set_rss(c, data, len - 2);
	case SLUICE_CTRL_MQ * 256 + SLUICE_CTRL_MQ_HASH_CONFIG:
		need(c, SLUICE_NET_F_HASH_REPORT, "hashes");
		return set_hash(c, data, len - 2);
	default:
		/* Of a test that wants to know whether it comes through. */
		return SLUICE_CTRL_OK;
	}
}

static void
put_used(struct fake_ctrl *c, const struct sluice_vq_setup *vq, uint32_t id, uint16_t nb_done)
{
	struct sluice_split_used *used = vq->dv_device;
	struct sluice_packed_desc *desc = vq->dv_desc;

	if (!vq->is_packed) {
		used->ring[c->used % vq->size].id = id;
		used->ring[c->used % vq->size].len = c->len + c->result_len;
		c->used += nb_done;
		__atomic_store_n(&used->idx, c->used, __ATOMIC_RELEASE);
		return;
	}
	desc[c->used].id = id;
	desc[c->used].len = c->len + c->result_len;
	__atomic_store_n(&desc[c->used].flags, c->used_wrap ? BITS : 0, __ATOMIC_RELEASE);
	c->used += 2 * nb_done;
	if (c->used >= vq->size) {
		c->used -= vq->size;
		c->used_wrap = !c->used_wrap;
	}
}

static void
finish(struct fake_ctrl *c, const struct fake_ctrl_pending *p)
{
	const uint8_t *cmd = fake_domain_reach(&c->ft->dom, p->cmd_da, p->cmd_len);
	uint8_t *ack = fake_domain_reach(&c->ft->dom, p->ack_da, 1 + p->room);
	uint8_t answer;

	if (cmd == NULL || ack == NULL || p->cmd_len < 2) {
		fake_error("a command of %u bytes where the device cannot go", p->cmd_len);
		return;
	}
	c->nb_commands++;
	c->last_len = p->cmd_len;
	memset(c->last, 0, sizeof(c->last));
	memcpy(c->last, cmd, RTE_MIN(p->cmd_len, sizeof(c->last)));
	c->result_len = 0;
	answer = execute(c, cmd, p->cmd_len);
	if (c->result_len > p->room)
		fake_error("room for %u bytes of %u", p->room, c->result_len);
	else
		memcpy(ack + 1, c->result, c->result_len);
	*ack = c->ack != SLUICE_CTRL_OK ? c->ack : answer;
}

static void
pend(struct fake_ctrl *c, uint32_t id, uint64_t cmd_da, uint32_t cmd_len, uint64_t ack_da,
		uint32_t ack_len)
{
	if (ack_len == 0)
		fake_error("no room for an answer");
	if (c->nb_pending == FAKE_CTRL_PENDING_MAX) {
		fake_error("more commands at a time than the queue has room for");
		return;
	}
	c->pending[c->nb_pending++] = (struct fake_ctrl_pending){
		.id = id,
		.cmd_da = cmd_da,
		.cmd_len = cmd_len,
		.ack_da = ack_da,
		.room = ack_len - 1,
		.due = sluice_clock_ms() + c->delay_ms,
	};
}

static void
collect_split(struct fake_ctrl *c, const struct sluice_vq_setup *vq)
{
	const struct sluice_split_desc *desc = vq->dv_desc;
	struct sluice_split_avail *avail = vq->dv_driver;

	while (c->avail != __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE)) {
		uint16_t head = avail->ring[c->avail++ % vq->size], next = desc[head].next;

		if (head >= vq->size || desc[head].flags != SLUICE_DESC_F_NEXT ||
				next != head + 1 || desc[next].flags != SLUICE_DESC_F_WRITE)
			fake_error("descriptors %u and %u are no command", head, next);
		pend(c, head, desc[head].addr, desc[head].len, desc[next].addr, desc[next].len);
	}
}

static void
collect_packed(struct fake_ctrl *c, const struct sluice_vq_setup *vq)
{
	const struct sluice_packed_desc *desc = vq->dv_desc;
	uint16_t flags;

	for (;;) {
		const struct sluice_packed_desc *d = &desc[c->avail];

		flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);
		if ((flags & BITS) != (c->avail_wrap ? SLUICE_DESC_F_AVAIL : SLUICE_DESC_F_USED))
			return;
		if ((flags & ~BITS) != SLUICE_DESC_F_NEXT ||
				(d[1].flags & ~BITS) != SLUICE_DESC_F_WRITE)
			fake_error("descriptors of slot %u are no command", c->avail);
		/* The id of a list is that of its last descriptor (2.8.6). */
		pend(c, d[1].id, d->addr, d->len, d[1].addr, d[1].len);
		c->avail += 2;
		if (c->avail == vq->size) {
			c->avail = 0;
			c->avail_wrap = !c->avail_wrap;
		}
	}
}

static const struct sluice_vq_setup *
queue_of(const struct fake_ctrl *c)
{
	uint32_t vq = SLUICE_VQ_CTRL(c->ft->info.nb_pairs_max);

	return c->ft->is_connected && vq < FAKE_VQS_MAX && (c->ft->started & 1u << vq) ?
			&c->ft->vqs[vq] :
			NULL;
}

/* The next command that is due; one that keeps the order does not look behind the first. */
static bool
take_due(struct fake_ctrl *c, struct fake_ctrl_pending *out)
{
	bool is_in_order = (c->ft->features & SLUICE_BIT(SLUICE_F_IN_ORDER)) != 0;
	unsigned int i;

	for (i = 0; i < c->nb_pending; i++) {
		if (c->pending[i].due <= sluice_clock_ms()) {
			*out = c->pending[i];
			c->nb_pending--;
			memmove(&c->pending[i], &c->pending[i + 1],
					(c->nb_pending - i) * sizeof(c->pending[0]));
			return true;
		}
		if (is_in_order)
			break;
	}
	return false;
}

/* Commands that are due are done; in a batch they have one answer, that of the last. */
static void
answer(struct fake_ctrl *c, const struct sluice_vq_setup *vq)
{
	struct fake_ctrl_pending p = { 0 };
	unsigned int nb = 0, i;

	while (take_due(c, &p)) {
		finish(c, &p);
		nb++;
		if (!c->is_batch)
			put_used(c, vq, p.id + c->id_off, 1);
	}
	if (c->is_batch && nb != 0)
		put_used(c, vq, p.id, nb);
	for (i = 0; nb != 0 && i < c->nb_extra; i++)
		put_used(c, vq, p.id, 1);
}

void
fake_ctrl_serve(struct fake_ctrl *c)
{
	const struct sluice_vq_setup *vq = queue_of(c);

	if (vq == NULL)
		return;
	if (c->nb_begins != c->ft->nb_begins)
		reset(c);
	if (c->is_silent)
		return;
	if (vq->is_packed)
		collect_packed(c, vq);
	else
		collect_split(c, vq);
	answer(c, vq);
}

void
fake_ctrl_repeat(struct fake_ctrl *c, uint32_t id)
{
	put_used(c, queue_of(c), id, 1);
}

uint32_t
fake_ctrl_count(const struct fake_ctrl *c, bool is_multicast)
{
	if (c->table_len == 0)
		return 0;
	return read32(is_multicast ? c->table + 4 + 6 * read32(c->table) : c->table);
}

bool
fake_ctrl_has(const struct fake_ctrl *c, bool is_multicast, const uint8_t *mac)
{
	const uint8_t *at = is_multicast ? c->table + 8 + 6 * fake_ctrl_count(c, false) :
					   c->table + 4;
	uint32_t nb = fake_ctrl_count(c, is_multicast), i;

	for (i = 0; i < nb; i++)
		if (memcmp(at + 6 * i, mac, 6) == 0)
			return true;
	return false;
}
