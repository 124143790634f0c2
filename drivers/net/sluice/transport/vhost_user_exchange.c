/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Requests of the vhost-user front end and their answers, one at a time.
 *
 * An exchange that does not end as it should breaks the connection for good: a late answer would be taken for
 * that of a later request. What follows fails at once, and the port connects anew.
 * Sections in brackets are those of QEMU docs/interop/vhost-user.rst.
 */

#include <errno.h>
#include <string.h>

#include "sluice_log.h"
#include "vhost_user.h"

static const char *
reason(int err)
{
	switch (-err) {
	case ETIMEDOUT:
		return "no answer from the back end in time";
	case ECANCELED:
		return "given up, the port was stopped";
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
sluice_vu_fail(struct vhost_user *vu, const char *step, int err)
{
	/* A back end that fails in the same way with each try is spoken of once. */
	if (vu->base.is_retry && vu->told.step != NULL && vu->told.err == err &&
			strcmp(vu->told.step, step) == 0)
		return err;
	vu->told.step = step;
	vu->told.err = err;
	SLUICE_LOG(ERR, "path=%s: %s failed: %s", vu->path, step, reason(err));
	return err;
}

/* After the first failure there is no second one to speak of. */
static int
break_connection(struct vhost_user *vu, uint32_t request, int err)
{
	vu->is_broken = true;
	vu->base.ops->cut(&vu->base);
	return sluice_vu_fail(vu, sluice_vu_request_name(request), err);
}

/* Send a request; then its answer, of between reply_min and reply_len bytes, lands in *msg, if there is one. */
static int
exchange(struct vhost_user *vu, struct sluice_vu_msg *msg, const int *fds, unsigned int nb_fds,
		uint32_t reply_min, uint32_t reply_len)
{
	struct sluice_vu_stream stream = {
		.sock = vu->sock, .cut_fd = vu->cut_fd, .deadline = vu->base.deadline
	};
	uint32_t request = msg->request;
	int ret;

	if (vu->sock < 0 || vu->is_broken)
		return -ENOTCONN;
	/* An answer that nobody waits for any more is no answer to this. */
	ret = sluice_vu_check_quiet(vu->sock);
	if (ret == 0)
		ret = sluice_vu_send(&stream, msg, fds, nb_fds);
	if (ret == 0 && reply_len != 0)
		ret = sluice_vu_recv_reply(&stream, request, msg, reply_min, reply_len);
	return ret == 0 ? 0 : break_connection(vu, request, ret);
}

/* Without REPLY_ACK there is no verdict to wait for [Communication]. */
int
sluice_vu_request(struct vhost_user *vu, struct sluice_vu_msg *msg, const int *fds,
		unsigned int nb_fds)
{
	bool wants_ack = sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_REPLY_ACK);
	uint32_t ack_len = wants_ack ? sizeof(msg->u64) : 0, request = msg->request;
	int ret;

	msg->flags = SLUICE_VU_VERSION | (wants_ack ? SLUICE_VU_NEED_REPLY : 0);
	ret = exchange(vu, msg, fds, nb_fds, ack_len, ack_len);
	if (ret == 0 && wants_ack && msg->u64 != 0)
		ret = sluice_vu_fail(vu, sluice_vu_request_name(request), -EREMOTEIO);
	return ret;
}

int
sluice_vu_query(struct vhost_user *vu, struct sluice_vu_msg *msg, uint32_t reply_min,
		uint32_t reply_len)
{
	msg->flags = SLUICE_VU_VERSION;
	return exchange(vu, msg, NULL, 0, reply_min, reply_len);
}

int
sluice_vu_get_u64(struct vhost_user *vu, enum sluice_vu_request what, uint64_t *value)
{
	struct sluice_vu_msg msg = { .request = what };
	int ret = sluice_vu_query(vu, &msg, sizeof(msg.u64), sizeof(msg.u64));

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
