/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Requests of the vhost-user front end and their answers: one at a time, or several that follow
 * each other, so that a start does not wait for the back end's thread with each.
 *
 * An exchange that does not end as it should breaks the connection for good: a late answer would be
 * taken for that of a later request. What follows fails at once, and the port connects anew.
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

/* What to do, where the reason alone does not say it. */
static const char *
remedy(const char *step, int err)
{
	bool is_connect = strcmp(step, "connect") == 0, is_listen = strcmp(step, "listen") == 0;

	if (is_connect && (err == -ENOENT || err == -ECONNREFUSED))
		return ": start the back end first, or give server=1 if the back end is a client";
	if (is_connect && err == -EACCES)
		return ": this user needs the right to write to the socket";
	if (is_listen && err == -ENOENT)
		return ": the folder is missing: make it";
	if (is_listen && err == -EADDRINUSE)
		return ": another process or port listens there: give another path";
	if (is_listen && err == -EACCES)
		return ": this user needs the right to write to the folder";
	return "";
}

bool
sluice_vu_is_told(struct vhost_user *vu, const char *step, int err)
{
	return sluice_vhost_is_told(&vu->base, &vu->told, step, err);
}

int
sluice_vu_fail(struct vhost_user *vu, const char *step, int err)
{
	if (!sluice_vu_is_told(vu, step, err))
		SLUICE_LOG(ERR, "path=%s: %s failed: %s%s", vu->path, step, reason(err),
				remedy(step, err));
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

static struct sluice_vu_stream
stream_of(const struct vhost_user *vu)
{
	return (struct sluice_vu_stream){
		.sock = vu->sock, .cut_fd = vu->cut_fd, .deadline = vu->base.deadline
	};
}

/*
 * Nothing may be there to be read before something is asked: it would be the answer to something
 * else.
 */
static int
begin_exchange(struct vhost_user *vu, uint32_t request)
{
	int ret;

	if (vu->sock < 0 || vu->is_broken)
		return -ENOTCONN;
	ret = sluice_vu_check_quiet(vu->sock);
	return ret == 0 ? 0 : break_connection(vu, request, ret);
}

/*
 * A back end that has REPLY_ACK is asked for its verdict [Communication]; without, there is none to
 * wait for.
 */
static void
set_flags(const struct vhost_user *vu, struct sluice_vu_msg *msg)
{
	bool wants_ack = sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_REPLY_ACK);

	msg->flags = SLUICE_VU_VERSION | (wants_ack ? SLUICE_VU_NEED_REPLY : 0);
}

static int
take_verdict(struct vhost_user *vu, uint32_t request)
{
	struct sluice_vu_stream stream = stream_of(vu);
	struct sluice_vu_msg msg;
	int ret;

	if (!sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_REPLY_ACK))
		return 0;
	ret = sluice_vu_recv_reply(&stream, request, &msg, sizeof(msg.u64), sizeof(msg.u64));
	if (ret != 0)
		return break_connection(vu, request, ret);
	return msg.u64 == 0 ? 0 : sluice_vu_fail(vu, sluice_vu_request_name(request), -EREMOTEIO);
}

int
sluice_vu_request(struct vhost_user *vu, struct sluice_vu_msg *msg, const int *fds,
		unsigned int nb_fds)
{
	struct sluice_vu_stream stream = stream_of(vu);
	int ret = begin_exchange(vu, msg->request);

	if (ret != 0)
		return ret;
	set_flags(vu, msg);
	ret = sluice_vu_send(&stream, msg, fds, nb_fds);
	return ret == 0 ? take_verdict(vu, msg->request) : break_connection(vu, msg->request, ret);
}

int
sluice_vu_request_all(
		struct vhost_user *vu, struct sluice_vu_msg *msgs, const int *fds, unsigned int nb)
{
	struct sluice_vu_stream stream = stream_of(vu);
	int ret = begin_exchange(vu, msgs[0].request), first = 0, sent = 0;
	unsigned int i, nb_sent;

	if (ret != 0)
		return ret;
	for (nb_sent = 0; nb_sent < nb && sent == 0; nb_sent += sent == 0) {
		set_flags(vu, &msgs[nb_sent]);
		sent = sluice_vu_send(&stream, &msgs[nb_sent], &fds[nb_sent], fds[nb_sent] >= 0);
	}
	/*
	 * If the back end closed the connection, the first verdict that is missing says with which
	 * request.
	 */
	for (i = 0; i < nb_sent; i++) {
		ret = take_verdict(vu, msgs[i].request);
		if (ret != 0 && ret != -EREMOTEIO)
			return ret;
		first = first == 0 ? ret : first;
	}
	return sent == 0 ? first : break_connection(vu, msgs[nb_sent].request, sent);
}

int
sluice_vu_query(struct vhost_user *vu, struct sluice_vu_msg *msg, uint32_t reply_min,
		uint32_t reply_len)
{
	struct sluice_vu_stream stream = stream_of(vu);
	uint32_t request = msg->request;
	int ret = begin_exchange(vu, request);

	if (ret != 0)
		return ret;
	msg->flags = SLUICE_VU_VERSION;
	ret = sluice_vu_send(&stream, msg, NULL, 0);
	if (ret == 0)
		ret = sluice_vu_recv_reply(&stream, request, msg, reply_min, reply_len);
	return ret == 0 ? 0 : break_connection(vu, request, ret);
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
