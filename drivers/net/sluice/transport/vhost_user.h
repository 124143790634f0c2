/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Inside of the vhost-user front end: its state, and the exchanges that its files share.
 * io_lock is held around each exchange, so a table that a polling core publishes does not get between a
 * request and its reply.
 */

#ifndef VHOST_USER_H
#define VHOST_USER_H

#include <pthread.h>

#include "sluice_transport.h"
#include "vhost_user_msg.h"

/* What a back end may claim to take; bounds what is kept here. */
#define VU_SLOTS_MAX 509

struct vhost_user {
	struct sluice_transport base;
	char *path;
	bool is_server;
	int listen_fd;
	pthread_mutex_t io_lock;
	/* protected by io_lock */
	int sock;
	uint64_t protocol; /* negotiated protocol features */
	unsigned int regions_max;
	struct dmap_region *shown; /* what the back end was told, with CONFIGURE_MEM_SLOTS */
	unsigned int nb_shown;
};

static inline struct vhost_user *
sluice_vu_of(const struct sluice_transport *t)
{
	return (struct vhost_user *)(uintptr_t)t;
}

static inline bool
sluice_vu_has(const struct vhost_user *vu, unsigned int protocol_bit)
{
	return (vu->protocol & SLUICE_BIT(protocol_bit)) != 0;
}

/* Logs that a step failed, and why; returns err. */
int sluice_vu_fail(const struct vhost_user *vu, const char *step, int err);

/*
 * Send a request, and with REPLY_ACK wait for the back end's verdict. The locked one is for callers that hold
 * io_lock. Both log what went wrong.
 */
int sluice_vu_request(struct vhost_user *vu, struct sluice_vu_msg *msg, const int *fds,
		unsigned int nb_fds);
int sluice_vu_request_locked(struct vhost_user *vu, struct sluice_vu_msg *msg, const int *fds,
		unsigned int nb_fds);
/* Send a request that has a reply of its own, with a payload of reply_len bytes; it lands in *msg. */
int sluice_vu_query(struct vhost_user *vu, struct sluice_vu_msg *msg, uint32_t reply_len);
int sluice_vu_get_u64(struct vhost_user *vu, enum sluice_vu_request what, uint64_t *value);
int sluice_vu_set_u64(struct vhost_user *vu, enum sluice_vu_request what, uint64_t value);

/* The transport's publish operation (vhost_user_mem.c). */
int sluice_vu_publish(
		struct sluice_transport *t, const struct dmap_region *regions, unsigned int nb);

#endif /* VHOST_USER_H */
