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

#define POLL_US 50
/* Neither of the two values that the device may write. */
#define NO_ANSWER 0x5a

/* What follows the ring in the control queue's memory. */
struct command {
	uint8_t class;
	uint8_t cmd;
	uint16_t data;
	/* written by the device; on a cache line of its own */
	uint8_t ack __rte_aligned(RTE_CACHE_LINE_SIZE);
};

/* Bytes that the device reads: class, command, data. */
#define COMMAND_USED 4

static size_t
command_offset(void)
{
	struct sluice_ring_layout split, packed;

	split = sluice_ring_layout(SLUICE_SPLIT, SLUICE_CTRL_RING_SIZE, false);
	packed = sluice_ring_layout(SLUICE_PACKED, SLUICE_CTRL_RING_SIZE, false);
	return RTE_MAX(split.len, packed.len);
}

static struct dmap_addr
da_of(const struct sluice_ctrl *c, const void *dv)
{
	return (struct dmap_addr){ c->mem.da.v + ((const char *)dv - (const char *)c->mem.va) };
}

int
sluice_ctrl_prepare(struct sluice_port *port)
{
	struct sluice_ctrl *c = &port->ctrl;
	const struct sluice_transport_ops *ops = port->transport->ops;
	uint16_t size = ops->vq_size_max(port->transport, SLUICE_VQ_CTRL(port->info.nb_pairs_max));
	char what[sizeof(port->label) + 8];
	struct sluice_ring_layout l;
	int ret = 0;

	c->is_running = false;
	if (size < 2) {
		SLUICE_LOG(ERR, "%s: the device's control queue has a size of %u", port->label,
				size);
		return -EPROTO;
	}
	if (c->mem.va == NULL) {
		snprintf(what, sizeof(what), "%s ctrl", port->label);
		ret = dmap_coherent_alloc(port->domain, what,
				command_offset() + sizeof(struct command), port->socket, &c->mem);
	}
	if (ret != 0)
		return ret;
	memset(c->mem.va, 0, c->mem.len);
	c->is_packed = (port->features & SLUICE_BIT(SLUICE_F_RING_PACKED)) != 0;
	size = RTE_MIN(size, SLUICE_CTRL_RING_SIZE);
	if (!c->is_packed)
		size = rte_align32prevpow2(size);
	l = sluice_ring_layout(c->is_packed ? SLUICE_PACKED : SLUICE_SPLIT, size, false);
	sluice_ring_init(&c->ring, c->is_packed ? SLUICE_PACKED : SLUICE_SPLIT, size, &l, c->mem.va,
			c->avail_shadow);
	c->ring.has_event_idx = (port->features & SLUICE_BIT(SLUICE_F_EVENT_IDX)) != 0;
	if (c->is_packed)
		sluice_packed_disable_interrupts(&c->ring);
	else
		sluice_split_disable_interrupts(&c->ring);
	return dmap_coherent_read_only(
			port->domain, &c->mem, &l.read_only, sluice_dev_has_ro_rings(port));
}

int
sluice_ctrl_start(struct sluice_port *port)
{
	const struct sluice_transport_ops *ops = port->transport->ops;
	struct sluice_ctrl *c = &port->ctrl;
	const struct sluice_ring *r = &c->ring;
	struct sluice_vq_setup vq = {
		.size = r->size, .is_packed = c->is_packed, .kick_fd = -1, .call_fd = -1
	};
	int ret;

	vq.vq = SLUICE_VQ_CTRL(port->info.nb_pairs_max);
	vq.dv_desc = c->is_packed ? (void *)r->packed.dv_desc : r->split.dv_desc;
	vq.dv_driver = c->is_packed ? (void *)r->packed.dv_driver_event : r->split.dv_avail;
	vq.dv_device = c->is_packed ? (void *)r->packed.dv_device_event : r->split.dv_used;
	vq.desc_da = da_of(c, vq.dv_desc);
	vq.driver_da = da_of(c, vq.dv_driver);
	vq.device_da = da_of(c, vq.dv_device);
	ret = ops->vq_start(port->transport, &vq);
	if (ret == 0) {
		c->ring.doorbell = sluice_dev_doorbell(port, vq.vq, c->is_packed, -1);
		c->is_running = true;
	}
	return ret;
}

void
sluice_ctrl_stop(struct sluice_port *port)
{
	port->ctrl.is_running = false;
	port->ctrl.ring.doorbell.dv_reg = NULL;
}

void
sluice_ctrl_free(struct sluice_port *port)
{
	dmap_coherent_free(port->domain, &port->ctrl.mem);
}

/* Two descriptors, the command and the answer, and a notification. */
static void
give(struct sluice_ctrl *c, const struct command *dv_cmd)
{
	struct sluice_ring *r = &c->ring;
	struct dmap_addr cmd = da_of(c, dv_cmd), ack = da_of(c, &dv_cmd->ack);
	uint16_t first = r->head, second = sluice_ring_next(r, first, 1);
	bool wants_kick;

	if (c->is_packed) {
		sluice_packed_give(r, first, first, cmd, COMMAND_USED, SLUICE_DESC_F_NEXT);
		sluice_packed_give(r, second, first, ack, 1, SLUICE_DESC_F_WRITE);
		sluice_packed_publish(r, 2, SLUICE_DESC_F_NEXT);
	} else {
		sluice_split_desc_write(&r->split.dv_desc[first], cmd, COMMAND_USED,
				SLUICE_DESC_F_NEXT, second);
		sluice_split_desc_write(&r->split.dv_desc[second], ack, 1, SLUICE_DESC_F_WRITE, 0);
		sluice_split_make_available(r, 0, first);
		sluice_split_publish(r, 1);
	}
	r->head = sluice_ring_next(r, first, 2);
	r->nb_free -= 2;
	/* Publish before the device's wish is read, as in sluice_tx_publish(). */
	rte_atomic_thread_fence(__ATOMIC_SEQ_CST);
	wants_kick = c->is_packed ? sluice_packed_wants_kick(r, 2) : sluice_split_wants_kick(r);
	if (wants_kick)
		sluice_doorbell_ring(r);
}

/* Wait for the answer; what it is about is known, so everything else is a violation. */
static int
take(struct sluice_ctrl *c, const struct sluice_transport *t, uint16_t expected_id)
{
	struct sluice_ring *r = &c->ring;
	uint32_t id, len;

	while (c->is_packed ? !sluice_packed_is_used(r) : sluice_split_nb_used(r, 1) == 0) {
		if (sluice_transport_left(t) == 0)
			return -ETIMEDOUT;
		usleep(POLL_US);
	}
	if (!c->is_packed && (uint16_t)(r->used_seen - r->used_idx) != 1)
		return -EPROTO;
	if (c->is_packed) {
		sluice_packed_take(r, &id, &len);
		sluice_packed_skip(r, 2);
	} else {
		sluice_split_take(r, &id, &len);
	}
	sluice_ring_free_slots(r, 2);
	return id == expected_id && len == 1 ? 0 : -EPROTO;
}

int
sluice_ctrl_set_pairs(struct sluice_port *port, uint16_t nb_pairs)
{
	struct sluice_ctrl *c = &port->ctrl;
	struct command *dv_cmd = (void *)((char *)c->mem.va + command_offset());
	uint16_t id = c->ring.head;
	uint8_t ack;
	int ret;

	if (!c->is_running)
		return -ENOTSUP;
	dv_cmd->class = SLUICE_CTRL_MQ;
	dv_cmd->cmd = SLUICE_CTRL_MQ_VQ_PAIRS_SET;
	dv_cmd->data = nb_pairs;
	dv_cmd->ack = NO_ANSWER;
	give(c, dv_cmd);
	ret = take(c, port->transport, id);
	/* Once: the device may change it while we look. */
	ack = __atomic_load_n(&dv_cmd->ack, __ATOMIC_RELAXED);
	if (ret == 0 && ack != SLUICE_CTRL_OK)
		ret = ack == SLUICE_CTRL_ERR ? -EIO : -EPROTO;
	if (ret != 0) {
		/*
		 * What the device may still write belongs to nobody: no further command on this
		 * ring.
		 */
		c->is_running = false;
		SLUICE_LOG(ERR, "%s: the device did not set %u queue pairs: %s", port->label,
				nb_pairs,
				ret == -ETIMEDOUT           ? "no answer from its control queue" :
						ret == -EIO ? "it says that it cannot" :
							      "its answer makes no sense");
	}
	return ret;
}
