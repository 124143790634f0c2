/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Requests of the back end to us, over a socket of their own (protocol feature BACKEND_REQ): the
 * one that matters says that the configuration changed. Sections in brackets are those of QEMU
 * docs/interop/vhost-user.rst.
 *
 * The back end is not trusted: a message that is not what the protocol demands ends this channel
 * and nothing else, descriptors that come along are closed, a call does a bounded amount of work,
 * and one that sends without end is read a few times per second. All calls are those of one thread,
 * the one that connects, and never block.
 */

#ifndef VHOST_USER_BACKEND_REQ_H
#define VHOST_USER_BACKEND_REQ_H

#include <stdbool.h>

#include "vhost_user_msg.h"

/* A request of the back end [VHOST_USER_BACKEND_CONFIG_CHANGE_MSG]. */
#define SLUICE_VU_BACKEND_CONFIG_CHANGE 2

/* Payload of the longest request that there is, and more; what claims to be longer is none. */
#define SLUICE_VU_BACKEND_PAYLOAD_MAX 256
/* Messages that one call reads, and how long the next one waits then. */
#define SLUICE_VU_BACKEND_BURST 16
#define SLUICE_VU_BACKEND_PAUSE_MS 100

struct sluice_vu_backend {
	int sock;            /* -1: closed */
	bool has_reply_ack;  /* requests may ask for an answer [REPLY_ACK] */
	int64_t quiet_until; /* not read before (sluice_clock_ms()) */
	uint32_t nb_got;     /* bytes of the message that is coming in */
	struct {
		uint32_t request;
		uint32_t flags;
		uint32_t size;
		uint8_t payload[SLUICE_VU_BACKEND_PAYLOAD_MAX];
	} msg;
};

/*
 * Makes a pair of sockets. *peer is for the back end: sent with SET_BACKEND_REQ_FD, then closed.
 * -errno.
 */
int sluice_vu_backend_open(struct sluice_vu_backend *b, bool has_reply_ack, int *peer);
/* Fine if it is not open, or was never: sock is -1. */
void sluice_vu_backend_close(struct sluice_vu_backend *b);

/*
 * What to poll for POLLIN now; -1: nothing. Cuts *timeout_ms (negative: for ever) to when it should
 * be asked again.
 */
int sluice_vu_backend_poll(const struct sluice_vu_backend *b, int64_t now, int *timeout_ms);

/*
 * There is something to read. 1: the configuration changed, read it again; 0: nothing that matters.
 * -ECONNRESET: the back end closed the channel; -EPROTO, or another error: it did what it must not.
 * Then the channel is closed; the connection need not be.
 */
int sluice_vu_backend_read(struct sluice_vu_backend *b, int64_t now);

#endif /* VHOST_USER_BACKEND_REQ_H */
