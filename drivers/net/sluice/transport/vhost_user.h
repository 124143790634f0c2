/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Inside of the vhost-user front end: its state, and the exchanges that its files share. The port's
 * lock is held around all of it; what cut() touches, which needs no lock, is told below.
 */

#ifndef VHOST_USER_H
#define VHOST_USER_H

#include <sys/stat.h>
#include <sys/types.h>

#include <rte_spinlock.h>

#include "vhost_ring.h"
#include "vhost_user_backend_req.h"
#include "vhost_user_msg.h"

/* What a back end may claim to take; bounds what is kept here. */
#define VU_SLOTS_MAX 509

/* A slot of memory that the back end has, and the file behind it. */
struct vu_slot {
	struct dmap_region r;
	dev_t dev;
	ino_t ino;
	bool is_leaving;
};

struct vhost_user {
	struct sluice_transport base;
	char *path;
	bool is_server;
	int listen_fd;
	struct stat listen_file;
	int inotify_fd;    /* a client's, of the folder that its socket is in; -1: there is none */
	bool has_watch;    /* the folder was there, and is watched */
	int cut_fd;        /* an eventfd, readable while the connection is cut */
	bool is_broken;    /* an exchange went wrong */
	uint64_t protocol; /* negotiated protocol features */
	unsigned int regions_max;
	struct vu_slot *shown; /* what the back end has accepted, with CONFIGURE_MEM_SLOTS */
	struct sluice_vu_backend backend; /* of the thread that connects */
	struct sluice_device_info info;   /* the same */
	uint32_t mtu;          /* atomic: the back end changed it to this; 0: it did not */
	uint32_t is_link_down; /* atomic: the back end said so; one that cannot is up */
	unsigned int nb_shown;
	bool is_running; /* from DRIVER_OK on the rings may use all that is shown */
	struct vhost_told told;
	/* Of sock: taken for the time of a system call, by who changes it and by cut(). */
	rte_spinlock_t sock_lock;
	int sock;
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

bool sluice_vu_is_told(struct vhost_user *vu, const char *step, int err);
/* Logs that a step failed, and why, unless that was the last that was said; returns err. */
int sluice_vu_fail(struct vhost_user *vu, const char *step, int err);

/* Send a request, and with REPLY_ACK wait for the back end's verdict. Logs what went wrong. */
int sluice_vu_request(struct vhost_user *vu, struct sluice_vu_msg *msg, const int *fds,
		unsigned int nb_fds);
/*
 * The same with nb requests at once, at least one, of which each has a descriptor or none (-1). The
 * first refusal is returned; what follows it was asked for all the same.
 */
int sluice_vu_request_all(
		struct vhost_user *vu, struct sluice_vu_msg *msgs, const int *fds, unsigned int nb);
/*
 * Send a request that has a reply of its own, of between reply_min and reply_len bytes; it lands in
 * *msg.
 */
int sluice_vu_query(struct vhost_user *vu, struct sluice_vu_msg *msg, uint32_t reply_min,
		uint32_t reply_len);
int sluice_vu_get_u64(struct vhost_user *vu, enum sluice_vu_request what, uint64_t *value);
int sluice_vu_set_u64(struct vhost_user *vu, enum sluice_vu_request what, uint64_t value);

/*
 * From the first message on, of a connection that is there (vhost_user_handshake.c). Both log what
 * went wrong.
 */
int sluice_vu_handshake(struct vhost_user *vu, struct sluice_device_info *info);
/* The device's configuration space, where there is one: MAC address, MTU, link. */
int sluice_vu_read_config(struct vhost_user *vu, struct sluice_device_info *info);

/*
 * How a client notices that its back end may be there (vhost_user_find.c): the folder of its socket
 * is watched. open and arm log nothing: without a watch the port tries once in a while.
 */
void sluice_vu_find_open(struct vhost_user *vu);
void sluice_vu_find_arm(struct vhost_user *vu);
/* Read what the watch says; true: the socket appeared, or may have. */
bool sluice_vu_find_read(struct vhost_user *vu);

/* The transport's show operation (vhost_user_mem.c). */
int sluice_vu_show(struct sluice_transport *t, const struct dmap_region *regions, unsigned int nb);

#endif /* VHOST_USER_H */
