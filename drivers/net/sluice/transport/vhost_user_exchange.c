/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Requests of the vhost-user front end and their answers, one at a time.
 * Sections in brackets are those of QEMU docs/interop/vhost-user.rst.
 */

#include <errno.h>
#include <string.h>

#include "sluice_log.h"
#include "vhost_user.h"

/* A back end that does not answer within this time is treated as gone. */
#define VU_TIMEOUT_MS 5000

static const char *
reason(int err)
{
	switch (-err) {
	case ETIMEDOUT:
		return "no answer from the back end in time";
	case ECONNRESET:
		return "the back end closed the connection";
	case EPROTO:
		return "the answer is not what the protocol demands";
	case EREMOTEIO:
		return "the back end refused";
	case ENOTSOCK:
		return "there is a file that is not a socket";
	default:
		return strerror(-err);
	}
}

int
sluice_vu_fail(const struct vhost_user *vu, const char *step, int err)
{
	SLUICE_LOG(ERR, "path=%s: %s failed: %s", vu->path, step, reason(err));
	return err;
}

/* Without REPLY_ACK there is no verdict to wait for [Communication]. */
int
sluice_vu_request_locked(struct vhost_user *vu, struct sluice_vu_msg *msg, const int *fds,
		unsigned int nb_fds)
{
	int64_t deadline = sluice_vu_now() + VU_TIMEOUT_MS;
	bool wants_ack = sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_REPLY_ACK);
	uint32_t request = msg->request;
	int ret;

	if (vu->sock < 0)
		return -ENOTCONN;
	msg->flags = SLUICE_VU_VERSION | (wants_ack ? SLUICE_VU_NEED_REPLY : 0);
	ret = sluice_vu_send(vu->sock, msg, fds, nb_fds, deadline);
	if (ret == 0 && wants_ack) {
		ret = sluice_vu_recv_reply(vu->sock, request, msg, sizeof(msg->u64), deadline);
		if (ret == 0 && msg->u64 != 0)
			ret = -EREMOTEIO;
	}
	if (ret != 0)
		sluice_vu_fail(vu, sluice_vu_request_name(request), ret);
	return ret;
}

int
sluice_vu_request(struct vhost_user *vu, struct sluice_vu_msg *msg, const int *fds,
		unsigned int nb_fds)
{
	int ret;

	pthread_mutex_lock(&vu->io_lock);
	ret = sluice_vu_request_locked(vu, msg, fds, nb_fds);
	pthread_mutex_unlock(&vu->io_lock);
	return ret;
}

int
sluice_vu_query(struct vhost_user *vu, struct sluice_vu_msg *msg, uint32_t reply_len)
{
	int64_t deadline = sluice_vu_now() + VU_TIMEOUT_MS;
	uint32_t request = msg->request;
	int ret;

	pthread_mutex_lock(&vu->io_lock);
	msg->flags = SLUICE_VU_VERSION;
	ret = vu->sock < 0 ? -ENOTCONN : sluice_vu_send(vu->sock, msg, NULL, 0, deadline);
	if (ret == 0)
		ret = sluice_vu_recv_reply(vu->sock, request, msg, reply_len, deadline);
	pthread_mutex_unlock(&vu->io_lock);
	if (ret != 0)
		sluice_vu_fail(vu, sluice_vu_request_name(request), ret);
	return ret;
}

int
sluice_vu_get_u64(struct vhost_user *vu, enum sluice_vu_request what, uint64_t *value)
{
	struct sluice_vu_msg msg = { .request = what };
	int ret = sluice_vu_query(vu, &msg, sizeof(msg.u64));

	if (ret == 0)
		*value = msg.u64;
	return ret;
}

int
sluice_vu_set_u64(struct vhost_user *vu, enum sluice_vu_request what, uint64_t value)
{
	struct sluice_vu_msg msg = { .request = what, .size = sizeof(msg.u64), .u64 = value };

	return sluice_vu_request(vu, &msg, NULL, 0);
}
