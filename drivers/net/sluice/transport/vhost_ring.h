/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What all of the kernel's vhost devices are told in the same way (linux/vhost.h), and how a
 * failure is said once: of those, and of vhost-user's back ends.
 */

#ifndef VHOST_RING_H
#define VHOST_RING_H

#include "sluice_transport.h"

struct vhost_ring {
	unsigned int index; /* as the descriptor counts them */
	/* Where its parts are, as this kind of device wants them addressed. */
	uint64_t desc, driver, device;
	int err_fd; /* written when the device cannot make sense of the ring */
};

/* A request on the descriptor of a device; logs what went wrong, 0 or -errno. */
typedef int (*sluice_vhost_request)(void *ctx, unsigned long what, const char *name, void *arg);

/* All that there is to know of a ring that was just made. */
int sluice_vhost_set_ring(const struct vhost_ring *r, const struct sluice_vq_setup *vq,
		sluice_vhost_request request, void *ctx);

/* What was said last, since a device last ran the rings. */
struct vhost_told {
	const char *step;
	int err;
};

/* Was this failure of a step the last that was said, so that trying again is no news? */
bool sluice_vhost_is_told(const struct sluice_transport *t, struct vhost_told *told,
		const char *step, int err);

struct pollfd;

/*
 * poll_fds and polled of struct sluice_transport_ops, of devices that write to err_fd when they
 * cannot make sense of a ring, which is kept in has_ring_error, and to news_fd what else there is.
 */
unsigned int sluice_vhost_poll_fds(int err_fd, int news_fd, struct pollfd *pfds);
enum sluice_news sluice_vhost_polled(const struct pollfd *pfds, unsigned int nb,
		void (*drain)(int fd), uint32_t *has_ring_error);

#endif /* VHOST_RING_H */
