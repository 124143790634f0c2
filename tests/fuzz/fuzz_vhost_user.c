/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The vhost-user transport, client and server, with a back end that answers what the input says:
 * good and wrong, in pieces, with descriptors, late, twice, never; and that speaks by itself, on
 * both of its sockets. Whatever it does, each step ends before its deadline, a connection that is
 * over stays so, and no descriptor is left. The clock stands, so nobody waits.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_clock.h"
#include "fake_fault.h"
#include "fake_socket.h"
#include "fuzz.h"
#include "vhost_user.h"

#define STEPS_MAX 64
#define DEADLINE_MS 5000
#define ANSWERS_MAX 400
#define VQS_MAX 8

static struct peer {
	struct fuzz *f;
	char path[64];
	int listen_fd;
	int sock;    /* -1: not connected, or closed */
	int channel; /* of its own requests; -1: it was given none */
	int64_t spent;
	unsigned int nb_answers;
	/* The rest of an answer, that comes later. */
	uint8_t rest[sizeof(struct sluice_vu_msg)];
	size_t rest_len;
} peer;

static void
send_bytes(int sock, const void *bytes, size_t len, unsigned int nb_fds)
{
	/* Nobody may be there any more, or read. */
	(void)!fake_socket_send(sock, bytes, len, nb_fds, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What a back end that works says; false: nothing. */
static bool
make_answer(struct sluice_vu_msg *msg)
{
	uint32_t request = msg->request;
	bool wants_ack = msg->flags & SLUICE_VU_NEED_REPLY;

	msg->flags = SLUICE_VU_VERSION | SLUICE_VU_REPLY;
	if (request == SLUICE_VU_GET_CONFIG) {
		memset(msg->config.data, 0, sizeof(msg->config.data));
		msg->config.data[0] = 2;
		msg->config.data[6] = 1;
		msg->config.data[8] = 4;
		msg->config.data[11] = 5;
		return true;
	}
	msg->size = sizeof(msg->u64);
	if (request == SLUICE_VU_GET_FEATURES || request == SLUICE_VU_GET_PROTOCOL_FEATURES)
		msg->u64 = UINT64_MAX;
	else if (request == SLUICE_VU_GET_QUEUE_NUM || request == SLUICE_VU_GET_MAX_MEM_SLOTS)
		msg->u64 = 8;
	else if (request == SLUICE_VU_GET_STATUS)
		msg->u64 = SLUICE_STATUS_FEATURES_OK;
	else if (request == SLUICE_VU_GET_VRING_BASE)
		msg->vring.num = 0;
	else if (wants_ack)
		msg->u64 = 0;
	else
		return false;
	return true;
}

/* One answer as the input has it; 0, as behind its end, is as it should be. */
static void
answer(struct sluice_vu_msg *msg)
{
	struct fuzz *f = peer.f;
	uint8_t kind = fuzz_u8(f), nb_fds = 0;
	size_t len = SLUICE_VU_HEADER_LEN + msg->size, cut;

	switch (kind % 16) {
	case 1: /* another value */
		msg->u64 = fuzz_u64(f);
		break;
	case 2: /* some bits of it */
		msg->u64 ^= 1ULL << fuzz_below(f, 64);
		break;
	case 3: /* any field */
		fuzz_take(f, (uint8_t *)msg + fuzz_below(f, len), 1);
		break;
	case 4: /* another header */
		fuzz_take(f, msg, SLUICE_VU_HEADER_LEN);
		break;
	case 5: /* another configuration, or more payload than there should be */
		cut = 1 + fuzz_below(f, sizeof(msg->config.data));
		fuzz_take(f, msg->config.data, cut);
		len = RTE_MIN(len + (kind & 16 ? cut : 0), sizeof(*msg));
		break;
	case 6:
		nb_fds = 1 + fuzz_u8(f) % 253;
		break;
	case 7: /* a part, and the rest later, or never */
		cut = fuzz_below(f, len);
		if (kind & 16) {
			peer.rest_len = len - cut;
			memcpy(peer.rest, (uint8_t *)msg + cut, peer.rest_len);
		}
		len = cut;
		nb_fds = kind & 32 ? 1 : 0;
		break;
	case 8: /* late */
		cut = fuzz_u16(f);
		peer.spent += cut;
		fake_clock_add(cut);
		break;
	case 9:
		close_fd(&peer.sock);
		return;
	case 10: /* silence */
		return;
	case 11: /* twice */
		send_bytes(peer.sock, msg, len, 0);
		break;
	case 12:
		shutdown(peer.sock, kind & 16 ? SHUT_RD : SHUT_WR);
		break;
	default:
		break;
	}
	if (len != 0)
		send_bytes(peer.sock, msg, len, nb_fds);
}

/* Of the descriptors that come, the one of its own channel is kept. */
static ssize_t
take_message(struct sluice_vu_msg *msg)
{
	char control[CMSG_SPACE(16 * sizeof(int))];
	struct iovec iov = { .iov_base = msg, .iov_len = SLUICE_VU_HEADER_LEN };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(peer.sock, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *cmsg = n > 0 ? CMSG_FIRSTHDR(&mh) : NULL;
	size_t at;
	int fd;

	for (at = 0; cmsg != NULL && CMSG_LEN(at) < cmsg->cmsg_len; at += sizeof(fd)) {
		memcpy(&fd, CMSG_DATA(cmsg) + at, sizeof(fd));
		if (msg->request == SLUICE_VU_SET_BACKEND_REQ_FD && at == 0) {
			close_fd(&peer.channel);
			peer.channel = fd;
		} else {
			close(fd);
		}
	}
	if (n != (ssize_t)SLUICE_VU_HEADER_LEN)
		return n;
	fake_assert(msg->size <= sizeof(*msg) - SLUICE_VU_HEADER_LEN, "a payload of %u bytes",
			msg->size);
	if (msg->size != 0 && recv(peer.sock, &msg->u64, msg->size, MSG_DONTWAIT) != msg->size)
		fake_error("half a message");
	return n;
}

/* Whenever the driver waits. */
static void
serve(void)
{
	struct sluice_vu_msg msg;

	if (peer.sock < 0 && peer.listen_fd >= 0)
		peer.sock = sluice_vu_accept(peer.listen_fd);
	if (peer.rest_len != 0 && peer.sock >= 0)
		send_bytes(peer.sock, peer.rest, peer.rest_len, 0);
	peer.rest_len = 0;
	while (peer.sock >= 0 && take_message(&msg) == (ssize_t)SLUICE_VU_HEADER_LEN)
		if (make_answer(&msg) && peer.nb_answers++ < ANSWERS_MAX)
			answer(&msg);
}

/* Without being asked, on one of its sockets. */
static void
speak(struct fuzz *f)
{
	uint32_t words[3] = { SLUICE_VU_BACKEND_CONFIG_CHANGE, SLUICE_VU_VERSION, 0 };
	uint8_t kind = fuzz_u8(f), bytes[64];
	int sock = kind & 1 ? peer.sock : peer.channel;
	size_t len = 1 + fuzz_below(f, sizeof(bytes)), n;

	if (sock < 0)
		return;
	if (kind & 2) {
		fuzz_take(f, bytes, len);
		send_bytes(sock, bytes, len, kind & 4 ? 1 + (kind >> 4) : 0);
		return;
	}
	words[1] |= kind & 8 ? SLUICE_VU_NEED_REPLY : 0;
	words[2] = kind & 16 ? fuzz_u16(f) : 0;
	/* Whole, or as much as comes; once, or a flood. */
	n = kind & 32 ? RTE_MIN(len, sizeof(words)) : sizeof(words);
	for (len = kind & 64 ? 300 : 1; len != 0; len--)
		send_bytes(sock, words, n, kind & 4 ? 1 : 0);
}

static int
show(struct sluice_transport *t, struct fuzz *f)
{
	struct dmap_region regions[16];
	unsigned int nb = fuzz_below(f, RTE_DIM(regions) + 1), i;
	uintptr_t va = 0;

	for (i = 0; i < nb; i++) {
		va += 4096 * (uintptr_t)(1 + fuzz_below(f, 4));
		regions[i] = (struct dmap_region){
			.va = va, .len = 4096, .da.v = va, .fd = STDERR_FILENO
		};
		va += regions[i].len;
	}
	return t->ops->show(t, regions, nb);
}

static int
start_queue(struct sluice_transport *t, struct fuzz *f)
{
	static uint64_t ring[64];
	struct sluice_vq_setup vq = { .vq = fuzz_below(f, VQS_MAX),
		.size = 4,
		.is_packed = fuzz_u8(f) & 1,
		.dv_desc = ring,
		.dv_driver = ring,
		.dv_device = ring,
		.call_fd = -1,
		.kick_fd = STDERR_FILENO };

	return t->ops->vq_start(t, &vq);
}

/* As the control thread does. */
static int
look(struct sluice_transport *t)
{
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	struct sluice_device_state state;
	char text[64];
	unsigned int nb = t->ops->poll_fds(t, true, pfds);

	fake_assert(nb <= SLUICE_TRANSPORT_FDS, "%u descriptors", nb);
	poll(pfds, nb, 0);
	t->ops->polled(t, pfds, nb);
	t->ops->state(t, &state);
	t->ops->describe(t, text, sizeof(text));
	return t->ops->check(t);
}

static void
disconnect(struct sluice_transport *t)
{
	int fd = t->ops->disconnect(t);

	close_fd(&fd);
	close_fd(&peer.sock);
	close_fd(&peer.channel);
	peer.rest_len = 0;
}

static int
connect_anew(struct sluice_transport *t)
{
	struct sluice_device_info info;
	int ret;

	disconnect(t);
	if (sluice_vu_of(t)->is_server)
		peer.sock = sluice_vu_connect(sluice_vu_of(t)->path);
	ret = t->ops->connect(t, &info);
	if (ret != 0)
		return ret;
	fake_assert(info.nb_pairs_max >= 1 && info.nb_pairs_max <= UINT8_MAX / 2, "%u pairs",
			info.nb_pairs_max);
	fake_assert(!info.has_mac || !(info.mac[0] & 1), "a multicast address");
	fake_assert(info.mtu == 0 || info.mtu >= 68, "an MTU of %u", info.mtu);
	fake_assert(info.features & SLUICE_BIT(SLUICE_F_VERSION_1), "a legacy device");
	return 0;
}

static int
do_step(struct sluice_transport *t, struct fuzz *f)
{
	switch (fuzz_u8(f) % 16) {
	case 0:
		return t->ops->begin(t, SLUICE_BIT(SLUICE_F_VERSION_1), fuzz_u8(f) & 1 ? 1500 : 0);
	case 1:
	case 2:
		return show(t, f);
	case 3:
	case 4:
		return start_queue(t, f);
	case 5:
		return t->ops->commit(t, fuzz_below(f, 64));
	case 6:
		return t->ops->vq_enable(t, fuzz_below(f, VQS_MAX), fuzz_u8(f) & 1);
	case 7:
		return t->ops->vq_stop(t, fuzz_below(f, VQS_MAX));
	case 8:
		return t->ops->reset(t);
	case 9:
		return connect_anew(t);
	case 10:
		t->ops->cut(t);
		return 0;
	case 11:
	case 12:
		speak(f);
		return 0;
	default:
		return look(t);
	}
}

/* After this there is nothing more to be said. */
static void
expect_end(struct sluice_transport *t)
{
	sluice_transport_begin(t, DEADLINE_MS);
	fake_assert(!t->ops->is_connected(t) || t->ops->check(t) != 0, "it counts as whole");
	fake_assert(t->ops->begin(t, SLUICE_BIT(SLUICE_F_VERSION_1), 0) != 0, "it goes on");
}

static struct sluice_transport *
open_transport(bool is_server)
{
	struct sluice_vhost_user_conf conf = { .path = peer.path, .is_server = is_server };
	struct sluice_transport *t;

	unlink(peer.path);
	peer.listen_fd = -1;
	if (!is_server) {
		peer.listen_fd = sluice_vu_listen(peer.path, &(struct sluice_socket_access){ 0 });
		fake_assert(peer.listen_fd >= 0, "no socket");
	}
	fake_assert(sluice_vhost_user_create(&conf, &t) == 0, "no transport");
	return t;
}

static void
talk(struct sluice_transport *t, struct fuzz *f)
{
	unsigned int i;
	int64_t begin;
	int ret;

	for (i = 0; i < STEPS_MAX && (i == 0 || f->left != 0); i++) {
		begin = sluice_clock_ms();
		peer.spent = 0;
		sluice_transport_begin(t, DEADLINE_MS);
		ret = i == 0 ? connect_anew(t) : do_step(t, f);
		fake_assert(sluice_clock_ms() - begin <= DEADLINE_MS + peer.spent + 100, "%d ms",
				(int)(sluice_clock_ms() - begin));
		if (ret == -ETIMEDOUT || ret == -ECONNRESET || ret == -ECANCELED)
			expect_end(t);
		fake_check();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz f = { data, len };
	unsigned int nb_fds = fake_count_fds();
	struct sluice_transport *t;

	fake_errors_clear();
	fake_clock_set(1000);
	peer = (struct peer){ .f = &f, .sock = -1, .channel = -1 };
	snprintf(peer.path, sizeof(peer.path), "/tmp/sluice-fuzz-%d", (int)getpid());
	t = open_transport(fuzz_u8(&f) & 1);
	fake_clock_on_sleep = serve;
	talk(t, &f);
	fake_clock_on_sleep = NULL;
	disconnect(t);
	t->ops->destroy(t);
	close_fd(&peer.listen_fd);
	unlink(peer.path);
	fake_assert(fake_count_fds() == nb_fds, "descriptors are left");
	return 0;
}
