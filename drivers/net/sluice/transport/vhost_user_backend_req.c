/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vhost_user_backend_req.h"

int
sluice_vu_backend_open(struct sluice_vu_backend *b, bool has_reply_ack, int *peer)
{
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks) < 0)
		return -errno;
	sluice_vu_restrict(socks[0]);
	/* Whether ours blocks is said with each call: the flags of theirs are their own. */
	*b = (struct sluice_vu_backend){ .sock = socks[0], .has_reply_ack = has_reply_ack };
	*peer = socks[1];
	return 0;
}

void
sluice_vu_backend_close(struct sluice_vu_backend *b)
{
	if (b->sock >= 0)
		close(b->sock);
	b->sock = -1;
}

int
sluice_vu_backend_poll(const struct sluice_vu_backend *b, int64_t now, int *timeout_ms)
{
	int64_t left = b->quiet_until - now;

	if (b->sock < 0 || left <= 0)
		return b->sock;
	if (*timeout_ms < 0 || left < *timeout_ms)
		*timeout_ms = left;
	return -1;
}

/*
 * Go on with the message that is coming in, up to len bytes of it. 0: there; -EAGAIN: the rest is
 * to come.
 */
static int
receive(struct sluice_vu_backend *b, uint32_t len)
{
	ssize_t n;

	while (b->nb_got < len) {
		n = sluice_vu_recv_some(b->sock, (char *)&b->msg + b->nb_got, len - b->nb_got);
		if (n < 0)
			return n;
		b->nb_got += n;
	}
	return 0;
}

/* A message as a whole, in pieces of its own sender's choice. */
static int
receive_message(struct sluice_vu_backend *b)
{
	int ret = receive(b, SLUICE_VU_HEADER_LEN);

	if (ret != 0)
		return ret;
	if ((b->msg.flags & SLUICE_VU_VERSION_MASK) != SLUICE_VU_VERSION ||
			(b->msg.flags & SLUICE_VU_REPLY) || b->msg.size > sizeof(b->msg.payload))
		return -EPROTO;
	ret = receive(b, SLUICE_VU_HEADER_LEN + b->msg.size);
	if (ret == 0)
		b->nb_got = 0;
	return ret;
}

/*
 * 0: done; anything else: it was not [REPLY_ACK]. One that does not read its answers is not served.
 */
static int
answer(struct sluice_vu_backend *b, uint64_t verdict)
{
	struct sluice_vu_msg reply = { .request = b->msg.request,
		.flags = SLUICE_VU_VERSION | SLUICE_VU_REPLY,
		.size = sizeof(reply.u64),
		.u64 = verdict };
	size_t len = SLUICE_VU_HEADER_LEN + sizeof(reply.u64);
	ssize_t n;

	if (!b->has_reply_ack || !(b->msg.flags & SLUICE_VU_NEED_REPLY))
		return 0;
	do
		n = send(b->sock, &reply, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? 0 : -EPROTO;
}

/* 1: the configuration changed. What we do not know is refused, and the channel goes on. */
static int
handle(struct sluice_vu_backend *b)
{
	bool is_known = b->msg.request == SLUICE_VU_BACKEND_CONFIG_CHANGE;
	int ret;

	if (is_known && b->msg.size != 0)
		return -EPROTO;
	ret = answer(b, !is_known);
	return ret == 0 ? is_known : ret;
}

int
sluice_vu_backend_read(struct sluice_vu_backend *b, int64_t now)
{
	bool has_changed = false;
	unsigned int i;
	int ret = 0;

	if (b->sock < 0 || now < b->quiet_until)
		return 0;
	for (i = 0; i < SLUICE_VU_BACKEND_BURST; i++) {
		ret = receive_message(b);
		if (ret == 0)
			ret = handle(b);
		if (ret < 0)
			break;
		has_changed |= ret > 0;
	}
	if (i == SLUICE_VU_BACKEND_BURST)
		b->quiet_until = now + SLUICE_VU_BACKEND_PAUSE_MS;
	if (ret < 0 && ret != -EAGAIN) {
		sluice_vu_backend_close(b);
		return ret;
	}
	return has_changed;
}
