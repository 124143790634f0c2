/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the driver needs of a transport: the way to reach a device, learn what it can do, show it memory and
 * rings, start and stop it. The transport logs what went wrong (who, at which step, how to cure it) and
 * returns a negative errno; the caller need not log again.
 *
 * Threads: connect, disconnect and wait are called by the port's control thread (before it exists, by
 * the thread that makes the port); begin, vq_start, vq_stop, commit and reset are serialised with them by the
 * port's lock. publish may come from any thread at any time.
 */

#ifndef SLUICE_TRANSPORT_H
#define SLUICE_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "dmap.h"
#include "sluice_spec.h"

/* What a device says of itself. */
struct sluice_device_info {
	uint64_t features;     /* offered */
	uint16_t nb_pairs_max; /* queue pairs that it can serve */
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu; /* 0: not told */
};

/* One virtqueue, ready to be started. Addresses are virtual ones in shown memory. */
struct sluice_vq_setup {
	uint16_t vq;
	uint16_t size;
	bool is_packed;
	void *dv_desc;
	void *dv_driver;
	void *dv_device;
	int kick_fd;
};

enum sluice_wait {
	SLUICE_WAIT_WOKEN, /* the wake descriptor was written */
	SLUICE_WAIT_TIMEOUT,
	SLUICE_WAIT_PEER, /* not connected: somebody may want to connect */
	SLUICE_WAIT_GONE, /* connected: the device went away */
};

struct sluice_transport {
	const struct sluice_transport_ops *ops;
};

struct sluice_transport_ops {
	const char *name;
	/*
	 * Reach the device and learn about it. -EAGAIN: nobody there yet, not logged; with is_retry no other
	 * reason why nobody could be reached is logged either.
	 */
	int (*connect)(struct sluice_transport *t, struct sluice_device_info *info, bool is_retry);
	/* Let go of it; fine when not connected. */
	void (*disconnect)(struct sluice_transport *t);
	bool (*is_connected)(const struct sluice_transport *t);
	/* Show exactly these regions. 0 when not connected: the port publishes again after connect. */
	int (*publish)(struct sluice_transport *t, const struct dmap_region *regions,
			unsigned int nb);
	/* Device status up to FEATURES_OK (3.1.1). mtu is told to the device if it is not 0. */
	int (*begin)(struct sluice_transport *t, uint64_t features, uint16_t mtu);
	int (*vq_start)(struct sluice_transport *t, const struct sluice_vq_setup *vq);
	/* DRIVER_OK (3.1.1); the first nb_vqs virtqueues run from here on. */
	int (*commit)(struct sluice_transport *t, uint16_t nb_vqs);
	/* The device does not touch the virtqueue any more when this returned 0. */
	int (*vq_stop)(struct sluice_transport *t, uint16_t vq);
	/* Device status 0. */
	int (*reset)(struct sluice_transport *t);
	/* Sleep until something happens; timeout_ms < 0: for ever. */
	enum sluice_wait (*wait)(struct sluice_transport *t, int wake_fd, int timeout_ms);
	void (*destroy)(struct sluice_transport *t);
};

struct sluice_vhost_user_conf {
	const char *path;
	bool is_server;
};

/* Make a vhost-user front end. A server listens from here on; a client does nothing yet. */
int sluice_vhost_user_create(
		const struct sluice_vhost_user_conf *conf, struct sluice_transport **out);

#endif /* SLUICE_TRANSPORT_H */
