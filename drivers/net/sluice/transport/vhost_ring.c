/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <linux/vhost.h>
#include <poll.h>
#include <string.h>

#include <rte_common.h>

#include "vhost_ring.h"

int
sluice_vhost_set_ring(const struct vhost_ring *r, const struct sluice_vq_setup *vq,
		sluice_vhost_request request, void *ctx)
{
	struct vhost_vring_state num = { .index = r->index, .num = vq->size };
	/* A fresh packed ring: both positions 0, both wrap counters 1. */
	struct vhost_vring_state base = { .index = r->index,
		.num = vq->is_packed ? 0x80008000 : 0 };
	struct vhost_vring_addr addr = { .index = r->index,
		.desc_user_addr = r->desc,
		.avail_user_addr = r->driver,
		.used_user_addr = r->device };
	struct vhost_vring_file kick = { .index = r->index, .fd = vq->kick_fd };
	/* A ring that is only polled has no descriptor to call us: -1. */
	struct vhost_vring_file call = { .index = r->index, .fd = vq->call_fd };
	struct vhost_vring_file err = { .index = r->index, .fd = r->err_fd };
	const struct {
		unsigned long what;
		const char *name;
		void *arg;
	} steps[] = {
		{ VHOST_SET_VRING_NUM, "VHOST_SET_VRING_NUM", &num },
		{ VHOST_SET_VRING_BASE, "VHOST_SET_VRING_BASE", &base },
		{ VHOST_SET_VRING_ADDR, "VHOST_SET_VRING_ADDR", &addr },
		{ VHOST_SET_VRING_KICK, "VHOST_SET_VRING_KICK", &kick },
		{ VHOST_SET_VRING_CALL, "VHOST_SET_VRING_CALL", &call },
		{ VHOST_SET_VRING_ERR, "VHOST_SET_VRING_ERR", &err },
	};
	unsigned int i;
	int ret = 0;

	for (i = 0; i < RTE_DIM(steps) && ret == 0; i++)
		ret = request(ctx, steps[i].what, steps[i].name, steps[i].arg);
	return ret;
}

bool
sluice_vhost_is_told(const struct sluice_transport *t, struct vhost_told *told, const char *step,
		int err)
{
	bool was_told = t->is_retry && told->step != NULL && told->err == err &&
			strcmp(told->step, step) == 0;

	*told = (struct vhost_told){ step, err };
	return was_told;
}

unsigned int
sluice_vhost_poll_fds(int err_fd, int news_fd, struct pollfd *pfds)
{
	pfds[0] = (struct pollfd){ .fd = err_fd, .events = POLLIN };
	pfds[1] = (struct pollfd){ .fd = news_fd, .events = POLLIN };
	return 2;
}

enum sluice_news
sluice_vhost_polled(const struct pollfd *pfds, unsigned int nb, void (*drain)(int fd),
		uint32_t *has_ring_error)
{
	unsigned int i;

	if (nb == 0 || (pfds[0].revents | pfds[1].revents) == 0)
		return SLUICE_NEWS_NONE;
	for (i = 0; i < nb; i++)
		if (pfds[i].revents != 0)
			drain(pfds[i].fd);
	if (pfds[0].revents != 0)
		rte_atomic_store_explicit(has_ring_error, 1, rte_memory_order_relaxed);
	return SLUICE_NEWS_DEVICE;
}
