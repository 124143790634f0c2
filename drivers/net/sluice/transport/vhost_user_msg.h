/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * vhost-user messages: layout, and exchange over a socket with a deadline. Knows no state of a
 * device. Layout and numbers: QEMU docs/interop/vhost-user.rst, section "Message Specification".
 */

#ifndef VHOST_USER_MSG_H
#define VHOST_USER_MSG_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <rte_common.h>

#include "sluice_transport.h"

/* Linux 6.16; for headers from before. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

enum sluice_vu_request {
	SLUICE_VU_GET_FEATURES = 1,
	SLUICE_VU_SET_FEATURES = 2,
	SLUICE_VU_SET_OWNER = 3,
	SLUICE_VU_SET_MEM_TABLE = 5,
	SLUICE_VU_SET_VRING_NUM = 8,
	SLUICE_VU_SET_VRING_ADDR = 9,
	SLUICE_VU_SET_VRING_BASE = 10,
	SLUICE_VU_GET_VRING_BASE = 11,
	SLUICE_VU_SET_VRING_KICK = 12,
	SLUICE_VU_SET_VRING_CALL = 13,
	SLUICE_VU_GET_PROTOCOL_FEATURES = 15,
	SLUICE_VU_SET_PROTOCOL_FEATURES = 16,
	SLUICE_VU_GET_QUEUE_NUM = 17,
	SLUICE_VU_SET_VRING_ENABLE = 18,
	SLUICE_VU_NET_SET_MTU = 20,
	SLUICE_VU_SET_BACKEND_REQ_FD = 21,
	SLUICE_VU_GET_CONFIG = 24,
	SLUICE_VU_GET_MAX_MEM_SLOTS = 36,
	SLUICE_VU_ADD_MEM_REG = 37,
	SLUICE_VU_REM_MEM_REG = 38,
	SLUICE_VU_SET_STATUS = 39,
	SLUICE_VU_GET_STATUS = 40,
};

/* In the feature bits of GET_FEATURES and SET_FEATURES; not a virtio feature. */
#define SLUICE_VU_F_PROTOCOL_FEATURES 30

#define SLUICE_VU_PROTOCOL_F_MQ 0
#define SLUICE_VU_PROTOCOL_F_REPLY_ACK 3
#define SLUICE_VU_PROTOCOL_F_NET_MTU 4
#define SLUICE_VU_PROTOCOL_F_BACKEND_REQ 5
#define SLUICE_VU_PROTOCOL_F_CONFIG 9
#define SLUICE_VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS 15
#define SLUICE_VU_PROTOCOL_F_STATUS 16
#define SLUICE_VU_PROTOCOL_F_GPA_ADDRESSES 21

#define SLUICE_VU_VERSION 1u
#define SLUICE_VU_VERSION_MASK 3u
#define SLUICE_VU_REPLY 4u
#define SLUICE_VU_NEED_REPLY 8u
/* In the payload of SET_VRING_KICK and SET_VRING_CALL: no descriptor comes with it. */
#define SLUICE_VU_NO_FD 0x100

/* Regions that a memory table message can hold. */
#define SLUICE_VU_TABLE_MAX 8

struct sluice_vu_region {
	uint64_t guest_addr;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

struct __rte_packed_begin sluice_vu_msg {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload */
	union __rte_packed_begin {
		uint64_t u64;
		struct {
			uint32_t index;
			uint32_t num;
		} vring;
		struct {
			uint32_t index;
			uint32_t flags;
			uint64_t desc;
			uint64_t used;
			uint64_t avail;
			uint64_t log;
		} addr;
		struct {
			uint32_t nb;
			uint32_t padding;
			struct sluice_vu_region regions[SLUICE_VU_TABLE_MAX];
		} table;
		struct {
			uint64_t padding;
			struct sluice_vu_region region;
		} slot;
		struct {
			uint32_t offset;
			uint32_t size;
			uint32_t flags;
			uint8_t data[64];
		} config;
	} __rte_packed_end;
} __rte_packed_end;

#define SLUICE_VU_HEADER_LEN offsetof(struct sluice_vu_msg, u64)
static_assert(SLUICE_VU_HEADER_LEN == 12, "three 32-bit words");

/* What a request is called in messages to the user. */
const char *sluice_vu_request_name(uint32_t request);

/* A connection, and how long to wait for it. */
struct sluice_vu_stream {
	int sock;
	int cut_fd;       /* readable: wait no longer; -1: there is none */
	int64_t deadline; /* sluice_clock_ms() */
};

/*
 * Send a message and nb_fds descriptors, all of it before the deadline.
 * -ETIMEDOUT; -ECANCELED: cut; or what sendmsg says.
 */
int sluice_vu_send(const struct sluice_vu_stream *s, const struct sluice_vu_msg *msg,
		const int *fds, unsigned int nb_fds);

/*
 * Receive the reply to request into *msg. Its payload must be of payload_len bytes, or of between
 * payload_min and payload_len.
 * -ETIMEDOUT; -ECANCELED; -ECONNRESET: closed; -EPROTO: not that reply, or descriptors came along.
 */
int sluice_vu_recv_reply(const struct sluice_vu_stream *s, uint32_t request,
		struct sluice_vu_msg *msg, uint32_t payload_min, uint32_t payload_len);

/*
 * What is there, at most len bytes and len is not 0. Does not wait. Returns how many; -EAGAIN: none
 * yet; -ECONNRESET: closed; -EPROTO: descriptors came along, which nobody asked for and which the
 * kernel has dropped; or another error of recvmsg(2).
 */
ssize_t sluice_vu_recv_some(int sock, void *buf, size_t len);

/*
 * Is nothing there to be read? 0. -ECONNRESET: the end of file is. -EPROTO: something is, and
 * nobody asked.
 */
int sluice_vu_check_quiet(int sock);

/*
 * What is sent out of band is received as all else is. Otherwise poll(2) goes on to tell of it, and
 * a look finds nothing. And the other side cannot send descriptors, where the kernel has a word for
 * that (Linux 6.16): the end of one may take as long as whoever sent it likes, and comes with the
 * end of the message, read or not, in the thread that reads or closes the socket.
 */
void sluice_vu_restrict(int sock);

/* Sockets, all non-blocking and close-on-exec. A descriptor or a negative errno. */
int sluice_vu_connect(const char *path);
int sluice_vu_listen(const char *path, const struct sluice_socket_access *access);
int sluice_vu_accept(int listen_fd);

struct stat;

/* Unless it is another file by now: somebody else's. */
void sluice_vu_unlink(const char *path, const struct stat *own);

#endif /* VHOST_USER_MSG_H */
