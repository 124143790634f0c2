/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Requests to a vDPA device that may take as long as its back end likes: behind VDUSE that is a
 * program, for whose answers the kernel waits 30 seconds. So a thread of its own makes them, and
 * who asks waits no longer than its conversation may last.
 */

#ifndef VHOST_VDPA_CALL_H
#define VHOST_VDPA_CALL_H

#include "sluice_transport.h"
#include "vhost_kernel_sys.h"

/* The longest argument that is copied. */
#define VDPA_CALL_MAX 128

struct vdpa_calls;

/* fd belongs to it on success. -errno. */
int sluice_vdpa_calls_open(const struct sluice_vk_sys *sys, int fd, struct vdpa_calls **out);

/*
 * A request whose argument is of len bytes, and only read; a message to write. -ETIMEDOUT: the
 * conversation is over, and the request still under way: then all that follow return this.
 */
int sluice_vdpa_ioctl(struct vdpa_calls *c, const struct sluice_transport *t, unsigned long what,
		const void *arg, size_t len);
int sluice_vdpa_write(struct vdpa_calls *c, const struct sluice_transport *t, const void *msg,
		size_t len);

/* Is a request still under way that nobody waits for any more? */
bool sluice_vdpa_is_late(struct vdpa_calls *c);

/*
 * Close the descriptor; c is gone. With this the kernel resets the device and unmaps all. -1: that
 * is done. Otherwise a descriptor, now the caller's, at which the end of file says that it is.
 */
int sluice_vdpa_calls_close(struct vdpa_calls *c, const struct sluice_transport *t);

#endif /* VHOST_VDPA_CALL_H */
