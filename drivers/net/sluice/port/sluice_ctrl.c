/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sluice_port.h"
#include "sluice_log.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"
#include "sluice_trace.h"

#define POLL_US 50
/* Neither of the two values that the device may write. */
#define NO_ANSWER 0x5a

/* What the device reads; a page, so that rights can be given for it. */
struct command {
	uint8_t class;
	uint8_t cmd;
	uint8_t data[SLUICE_CTRL_DATA_MAX];
};

static_assert(sizeof(struct command) == SLUICE_RING_PAGE, "a page");

/* What it writes, in the page behind the commands. */
struct __rte_cache_aligned answer {
	uint8_t ack;
	uint8_t result[SLUICE_CTRL_RESULT_MAX];
};

static struct sluice_ring_offsets
ring_layout(const struct sluice_ctrl *c, uint16_t size)
{
	return sluice_ring_offsets(c->is_packed ? SLUICE_PACKED : SLUICE_SPLIT, size, false);
}

/* Whatever ring type and size come: where commands begin. */
static size_t
commands_at(void)
{
	struct sluice_ring_offsets split, packed;

	split = sluice_ring_offsets(SLUICE_SPLIT, SLUICE_CTRL_RING_SIZE, false);
	packed = sluice_ring_offsets(SLUICE_PACKED, SLUICE_CTRL_RING_SIZE, false);
	return RTE_MAX(split.len, packed.len);
}

static struct command *
command_of(const struct sluice_ctrl *c, uint16_t place)
{
	return (struct command *)((char *)c->mem.va + commands_at()) + place;
}

static struct answer *
answer_of(const struct sluice_ctrl *c, uint16_t place)
{
	return (struct answer *)command_of(c, SLUICE_CTRL_PLACES) + place;
}

static int
make_memory(struct sluice_port *port)
{
	size_t len = commands_at() + SLUICE_CTRL_PLACES * sizeof(struct command) +
			SLUICE_CTRL_PLACES * sizeof(struct answer);
	struct sluice_ctrl *c = &port->ctrl;
	char what[sizeof(port->label) + 8];
	int ret = 0;

	snprintf(what, sizeof(what), "%s ctrl", port->label);
	if (c->mem.va == NULL)
		ret = dmap_alloc_coherent(port->domain, what, len, port->socket, &c->mem);
	if (ret == 0)
		memset(c->mem.va, 0, c->mem.len);
	return ret;
}

/* Ring and commands are for the device to read only, as far as pages go. */
static int
restrict_memory(struct sluice_port *port, const struct sluice_ring_offsets *l)
{
	struct dmap_span spans[2] = { l->read_only,
		{ commands_at(), SLUICE_CTRL_PLACES * sizeof(struct command) } };

	return dmap_coherent_read_only(port->domain, &port->ctrl.mem, spans,
			sluice_dev_has_ro_rings(port) ? RTE_DIM(spans) : 0);
}

int
sluice_ctrl_prepare(struct sluice_port *port)
{
	struct sluice_ctrl *c = &port->ctrl;
	const struct sluice_transport_ops *ops = port->transport->ops;
	uint16_t size = ops->vq_size_max(port->transport, SLUICE_VQ_CTRL(port->info.nb_pairs_max));
	struct sluice_ring_offsets l;
	int ret;

	c->is_running = false;
	if (size < 2) {
		SLUICE_LOG(ERR, "%s: the device's control queue has a size of %u", port->label,
				size);
		return -EPROTO;
	}
	ret = make_memory(port);
	if (ret == 0)
		ret = sluice_rings_open_kick(
				port, SLUICE_VQ_CTRL(port->info.nb_pairs_max), &c->kick_fd);
	if (ret != 0)
		return ret;
	c->is_packed = sluice_has(port->features, SLUICE_F_RING_PACKED);
	/* A power of two also for packed rings: each place has its two slots. */
	size = rte_align32prevpow2(RTE_MIN(size, SLUICE_CTRL_RING_SIZE));
	l = ring_layout(c, size);
	sluice_ring_init(&c->ring, c->is_packed ? SLUICE_PACKED : SLUICE_SPLIT, size, &l, c->mem.va,
			c->avail_shadow);
	c->ring.has_event_idx = (port->features & SLUICE_BIT(SLUICE_F_EVENT_IDX)) != 0;
	c->ring.is_in_order = (port->features & SLUICE_BIT(SLUICE_F_IN_ORDER)) != 0;
	c->nb_places = size / 2;
	c->place = c->nb_places - 1;
	memset(c->is_lent, 0, sizeof(c->is_lent));
	if (c->is_packed)
		sluice_packed_disable_interrupts(&c->ring);
	else
		sluice_split_disable_interrupts(&c->ring);
	return restrict_memory(port, &l);
}

int
sluice_ctrl_start(struct sluice_port *port)
{
	struct sluice_ctrl *c = &port->ctrl;
	struct sluice_vq_setup vq = {
		.vq = SLUICE_VQ_CTRL(port->info.nb_pairs_max),
		.size = c->ring.size,
		.kick_fd = c->kick_fd,
		.call_fd = -1,
	};
	int ret = sluice_rings_start_one(port, &c->mem, &c->ring, &vq);

	if (ret == 0) {
		c->ring.doorbell = sluice_dev_doorbell(port, vq.vq, c->is_packed, c->kick_fd);
		c->is_running = true;
	}
	return ret;
}

void
sluice_ctrl_stop(struct sluice_port *port)
{
	port->ctrl.is_running = false;
	port->ctrl.ring.doorbell.dv_reg = NULL;
	port->ctrl.ring.doorbell.fd = -1;
}

void
sluice_ctrl_free(struct sluice_port *port)
{
	if (port->ctrl.kick_fd >= 0)
		close(port->ctrl.kick_fd);
	port->ctrl.kick_fd = -1;
	dmap_free_coherent(port->domain, &port->ctrl.mem);
}

/*
 * Two descriptors, the command of len bytes and the answer, with room for a result, and a
 * notification.
 */
static void
give(struct sluice_ctrl *c, uint16_t place, size_t len, size_t room)
{
	struct dmap_addr cmd = dmap_coherent_da(&c->mem, command_of(c, place));
	struct dmap_addr ack = dmap_coherent_da(&c->mem, answer_of(c, place));
	struct sluice_ring *r = &c->ring;
	uint16_t id = 2 * place, first = r->head, second = sluice_ring_next(r, first, 1);
	bool wants_kick;

	if (c->is_packed) {
		sluice_packed_give(r, first, id, cmd, len, SLUICE_DESC_F_NEXT);
		sluice_packed_give(r, second, id, ack, 1 + room, SLUICE_DESC_F_WRITE);
		sluice_packed_publish(r, 2, SLUICE_DESC_F_NEXT);
		r->head = sluice_ring_next(r, first, 2);
	} else {
		sluice_split_desc_write(
				&r->split.dv_desc[id], cmd, len, SLUICE_DESC_F_NEXT, id + 1);
		sluice_split_desc_write(
				&r->split.dv_desc[id + 1], ack, 1 + room, SLUICE_DESC_F_WRITE, 0);
		sluice_split_make_available(r, 0, id);
		sluice_split_publish(r, 1);
	}
	c->is_lent[place] = true;
	/* Publish before the device's wish is read, as in sluice_tx_publish(). */
	rte_atomic_thread_fence(rte_memory_order_seq_cst);
	wants_kick = c->is_packed ? sluice_packed_wants_kick(r, 2) : sluice_split_wants_kick(r);
	if (wants_kick)
		sluice_doorbell_ring(r);
}

/* The next thing that the device says it has done, of any command. False: nothing new. */
static bool
take(struct sluice_ctrl *c, uint32_t *id, uint32_t *len)
{
	struct sluice_ring *r = &c->ring;

	if (c->is_packed ? !sluice_packed_is_used(r) : sluice_split_nb_used(r, 1) == 0)
		return false;
	if (c->is_packed) {
		sluice_packed_take(r, id, len);
		sluice_packed_skip(r, 2);
	} else {
		sluice_split_take(r, id, len);
	}
	return true;
}

/*
 * The device has done the command in a place. One that keeps the order says so of the last of
 * several (2.7.9, 2.8.8), and then passes by the entries of those before it.
 */
static void
take_back(struct sluice_ctrl *c, uint16_t place)
{
	uint16_t older = c->place, nb_passed = 0;

	while (c->ring.is_in_order && (older = (older + 1) % c->nb_places) != place) {
		nb_passed += c->is_lent[older];
		c->is_lent[older] = false;
	}
	c->is_lent[place] = false;
	if (c->is_packed)
		sluice_packed_skip(&c->ring, 2 * nb_passed);
	else
		c->ring.used_idx += nb_passed;
}

/* A wrong id in a ring that keeps the order: it stands where that of the oldest command belongs. */
static void
forget_oldest(struct sluice_ctrl *c)
{
	uint16_t i, place;

	for (i = 1; c->ring.is_in_order && i <= c->nb_places; i++) {
		place = (c->place + i) % c->nb_places;
		if (c->is_lent[place]) {
			c->is_lent[place] = false;
			return;
		}
	}
}

/*
 * Everything that the device has said. Returns false if it says something of a command that it does
 * not have. *len: of the answer in that place, if it is there.
 */
static bool
take_all(struct sluice_ctrl *c, uint16_t place, uint32_t *len)
{
	bool makes_sense = true;
	uint32_t id, used_len;
	unsigned int i;

	/* A used index that runs away is not followed for ever. */
	for (i = 0; i < c->nb_places && take(c, &id, &used_len); i++) {
		if (id % 2 != 0 || id / 2 >= c->nb_places || !c->is_lent[id / 2]) {
			makes_sense = false;
			forget_oldest(c);
			continue;
		}
		take_back(c, id / 2);
		if (id / 2 == place)
			*len = used_len;
	}
	if (!c->is_packed && c->ring.used_idx != c->ring.used_seen) {
		c->ring.used_idx = c->ring.used_seen;
		makes_sense = false;
	}
	return makes_sense;
}

/* The place behind the last one, and not one of those for which the device owes an answer. */
static int
find_place(const struct sluice_ctrl *c)
{
	uint16_t i, place = c->place;

	for (i = 0; i < c->nb_places; i++) {
		place = (place + 1) % c->nb_places;
		if (!c->is_lent[place])
			return place;
	}
	return -EBUSY;
}

/* Returns how many bytes of a result there are. */
static int
await(struct sluice_port *port, uint16_t place, size_t room)
{
	int64_t end = sluice_clock_ms() + SLUICE_CTRL_MS;
	struct sluice_ctrl *c = &port->ctrl;
	uint32_t len = 0;
	uint8_t ack;

	for (;;) {
		if (!take_all(c, place, &len))
			return -EPROTO;
		if (!c->is_lent[place])
			break;
		if (sluice_transport_left(port->transport) == 0 || sluice_clock_ms() >= end)
			return -ETIMEDOUT;
		usleep(POLL_US);
	}
	/* Once: the device may change it while we look. */
	ack = rte_atomic_load_explicit(&answer_of(c, place)->ack, rte_memory_order_relaxed);
	if (len == 0 || len > 1 + room || (ack != SLUICE_CTRL_OK && ack != SLUICE_CTRL_ERR))
		return -EPROTO;
	return ack == SLUICE_CTRL_OK ? (int)len - 1 : -EIO;
}

static int
command(struct sluice_port *port, uint8_t class, uint8_t cmd, const void *data, size_t len,
		void *result, size_t room)
{
	struct sluice_ctrl *c = &port->ctrl;
	struct command *dv_cmd;
	uint32_t late_len;
	int place, ret;

	if (!c->is_running)
		return -ENOTSUP;
	if (len > sizeof(dv_cmd->data) || room > SLUICE_CTRL_RESULT_MAX)
		return -EMSGSIZE;
	/* Answers that came too late, or more often than they were asked for. */
	take_all(c, c->nb_places, &late_len);
	place = find_place(c);
	if (place < 0)
		return place;
	c->place = place;
	dv_cmd = command_of(c, place);
	dv_cmd->class = class;
	dv_cmd->cmd = cmd;
	if (len != 0)
		memcpy(dv_cmd->data, data, len);
	answer_of(c, place)->ack = NO_ANSWER;
	give(c, place, len + offsetof(struct command, data), room);
	ret = await(port, place, room);
	/* A device that does not answer may be gone. */
	if (ret == -ETIMEDOUT)
		sluice_conn_wake(port);
	/* Once, as the answer. */
	if (ret > 0)
		memcpy(result, answer_of(c, place)->result, ret);
	return ret;
}

int
sluice_ctrl_query(struct sluice_port *port, uint8_t class, uint8_t cmd, const void *data,
		size_t len, void *result, size_t room)
{
	int ret = command(port, class, cmd, data, len, result, room);

	sluice_trace_command(port->port_id, class, cmd, RTE_MIN(ret, 0));
	return ret;
}

int
sluice_ctrl_command(
		struct sluice_port *port, uint8_t class, uint8_t cmd, const void *data, size_t len)
{
	return sluice_ctrl_query(port, class, cmd, data, len, NULL, 0);
}

const char *
sluice_ctrl_error(int ret)
{
	switch (ret) {
	case -ETIMEDOUT:
		return "no answer from its control queue";
	case -EIO:
		return "it says that it cannot";
	case -EPROTO:
		return "its answer makes no sense";
	case -EBUSY:
		return "it owes too many answers";
	default:
		return strerror(-ret);
	}
}

int
sluice_ctrl_set_pairs(struct sluice_port *port, uint16_t nb_pairs)
{
	int ret = sluice_ctrl_command(port, SLUICE_CTRL_MQ, SLUICE_CTRL_MQ_VQ_PAIRS_SET, &nb_pairs,
			sizeof(nb_pairs));

	if (ret != 0)
		SLUICE_LOG(ERR, "%s: the device did not set %u queue pairs: %s", port->label,
				nb_pairs, sluice_ctrl_error(ret));
	return ret;
}
