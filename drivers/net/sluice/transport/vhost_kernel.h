/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The parts of the vhost-kernel transport: sluice_vhost_kernel.c is what the port sees,
 * vhost_kernel_dev.c the descriptors of vhost-net, vhost_kernel_tap.c the interface behind them.
 */

#ifndef VHOST_KERNEL_H
#define VHOST_KERNEL_H

#include <rte_spinlock.h>

#include "sluice_transport.h"
#include "vhost_kernel_tap.h"
#include "vhost_ring.h"

struct vhost_kernel {
	struct sluice_transport base;
	const struct sluice_vk_sys *sys;
	char *path;
	struct vk_tap tap;
	bool has_mac;   /* asked for */
	uint8_t mac[6]; /* that is to be the interface's, or is */
	uint16_t nb_pairs;
	uint16_t busy_poll_us;
	unsigned int regions_max;
	sluice_features offered; /* by vhost-net */
	bool is_connected;
	int err_fd; /* written when the kernel cannot make sense of a ring */
	struct vhost_told told;
	/* Of fds: taken for the time of a system call, by who changes them and by cut(). */
	rte_spinlock_t lock;
	int *fds;         /* of vhost-net, for each queue pair; -1: not open */
	bool was_deleted; /* the interface, and we have no other yet */
	/* Atomic: what the interface said last. */
	uint32_t is_gone;
	uint32_t is_down;
	uint32_t has_ring_error;
};

/* Was this failure of a step the last that was said, so that trying again is no news? */
bool sluice_vk_is_told(struct vhost_kernel *vk, const char *step, int err);
/* Logs that a step failed, and why, unless that was the last that was said; returns err. */
int sluice_vk_fail(struct vhost_kernel *vk, const char *step, int err);

/*
 * Those that return something log what went wrong. open: a descriptor for each pair, if it is
 * vhost-net.
 */
int sluice_vk_dev_open(struct vhost_kernel *vk);
/* The kernel lets go of rings and memory before this returns. */
void sluice_vk_dev_close(struct vhost_kernel *vk);
/* Features for all pairs. */
int sluice_vk_dev_set_features(struct vhost_kernel *vk, sluice_features features);
int sluice_vk_dev_set_memory(
		struct vhost_kernel *vk, const struct dmap_region *regions, unsigned int nb);
int sluice_vk_dev_set_ring(struct vhost_kernel *vk, const struct sluice_vq_setup *vq);
/* Give a ring to a queue of the interface. */
int sluice_vk_dev_set_backend(struct vhost_kernel *vk, uint16_t vq, int tap_fd);
/* Nobody has the ring any more when this returned 0. */
int sluice_vk_dev_take_back(struct vhost_kernel *vk, uint16_t vq);
/* The same for all rings that there are. Any thread; logs nothing. */
void sluice_vk_dev_take_all(struct vhost_kernel *vk);

#endif /* VHOST_KERNEL_H */
