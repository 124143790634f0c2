/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The vhost-user transport and a back end that errs at one exchange of a whole conversation: after
 * a refusal the talk goes on, after anything else the connection is over, for both sides.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_fault.h"
#include "fake_log.h"
#include "fake_socket.h"
#include "vhost_user.h"

enum fault {
	FAULT_NONE,
	FAULT_REFUSE,
	FAULT_SILENT,
	FAULT_LATE, /* when the deadline is over */
	FAULT_CLOSE,
	FAULT_REQUEST,
	FAULT_FLAGS,
	FAULT_SIZE,
	FAULT_TRAILING, /* what nobody asked for, behind the answer */
	FAULT_DESCRIPTORS,
	NB_FAULTS
};

static struct peer {
	char dir[64], path[96];
	int listen_fd;
	int sock; /* -1: not connected, or closed */
	enum fault fault;
	uint32_t fault_at, nb_answers; /* of which number fault_at is wrong */
	uint32_t nb_requests;
	uint64_t protocol;
	bool is_legacy, refuses_features;
} peer;

/* In place of the C library's: of a kernel that cannot refuse descriptors. */
int
setsockopt(int sock, int level, int name, const void *value, socklen_t len)
{
	if (level == SOL_SOCKET && name == SO_PASSRIGHTS) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return syscall(SYS_setsockopt, sock, level, name, value, len);
}

static void
send_answer(const struct sluice_vu_msg *msg, size_t len, bool has_fd)
{
	if (fake_socket_send(peer.sock, msg, len, has_fd, MSG_NOSIGNAL) != (ssize_t)len)
		fake_error("an answer cannot be sent");
}

/* What a back end that works says; 0 bytes: nothing. */
static uint32_t
make_answer(struct sluice_vu_msg *msg)
{
	uint32_t request = msg->request;
	bool wants_ack = msg->flags & SLUICE_VU_NEED_REPLY;

	msg->flags = SLUICE_VU_VERSION | SLUICE_VU_REPLY;
	msg->size = sizeof(msg->u64);
	if (request == SLUICE_VU_GET_FEATURES)
		msg->u64 = peer.is_legacy ? 0 : UINT64_MAX;
	else if (request == SLUICE_VU_GET_PROTOCOL_FEATURES)
		msg->u64 = UINT64_MAX & ~SLUICE_BIT(SLUICE_VU_PROTOCOL_F_CONFIG);
	else if (request == SLUICE_VU_GET_QUEUE_NUM || request == SLUICE_VU_GET_MAX_MEM_SLOTS)
		msg->u64 = 8;
	else if (request == SLUICE_VU_GET_STATUS)
		msg->u64 = peer.refuses_features ? 0 : SLUICE_STATUS_FEATURES_OK;
	else if (request == SLUICE_VU_GET_VRING_BASE)
		msg->vring.num = 0;
	else if (wants_ack)
		msg->u64 = 0;
	else
		return 0;
	return SLUICE_VU_HEADER_LEN + msg->size;
}

static void
answer(struct sluice_vu_msg *msg)
{
	bool is_ack = msg->flags & SLUICE_VU_NEED_REPLY;
	uint32_t len = make_answer(msg);
	enum fault fault = FAULT_NONE;

	peer.nb_requests++;
	if (len == 0)
		return;
	if (peer.nb_answers++ == peer.fault_at)
		fault = peer.fault;
	/* There is no refusal but by an acknowledgement. */
	if (fault == FAULT_REFUSE && is_ack)
		msg->u64 = 1;
	else if (fault == FAULT_REQUEST)
		msg->request++;
	else if (fault == FAULT_FLAGS)
		msg->flags &= ~SLUICE_VU_REPLY;
	else if (fault == FAULT_SIZE)
		msg->size++;
	if (fault == FAULT_LATE)
		fake_clock_add(10000);
	if (fault == FAULT_CLOSE) {
		close(peer.sock);
		peer.sock = -1;
	} else if (peer.fault != FAULT_SILENT || peer.nb_answers <= peer.fault_at) {
		send_answer(msg, len, fault == FAULT_DESCRIPTORS);
		if (fault == FAULT_TRAILING)
			send_answer(msg, 3, false);
	}
}

/* A look at the socket, whenever the driver waits. Descriptors are not taken. */
static void
serve(void)
{
	struct sluice_vu_msg msg;

	if (peer.sock < 0)
		peer.sock = accept4(peer.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (peer.sock >= 0 &&
			recv(peer.sock, &msg, SLUICE_VU_HEADER_LEN, 0) ==
					(int)SLUICE_VU_HEADER_LEN) {
		if (msg.size > sizeof(msg) - SLUICE_VU_HEADER_LEN ||
				(msg.size != 0 &&
						recv(peer.sock, &msg.u64, msg.size, 0) != msg.size))
			fake_error("half a message");
		answer(&msg);
	}
}

/* Did our side end the connection? */
static bool
sees_end(void)
{
	char c;

	return peer.sock < 0 || recv(peer.sock, &c, 1, MSG_DONTWAIT) == 0;
}

static struct sluice_transport *
open_transport(enum fault fault, uint32_t fault_at)
{
	struct sluice_vhost_user_conf conf = { .path = peer.path };
	struct sluice_transport *t;

	fake_errors_clear();
	strcpy(peer.dir, "/tmp/sluice-unit-XXXXXX");
	assert_non_null(mkdtemp(peer.dir));
	snprintf(peer.path, sizeof(peer.path), "%s/s", peer.dir);
	peer.listen_fd = sluice_vu_listen(peer.path, &(struct sluice_socket_access){ 0 });
	assert_true(peer.listen_fd >= 0);
	peer.sock = -1;
	peer.fault = fault;
	peer.fault_at = fault_at;
	peer.nb_answers = 0;
	peer.nb_requests = 0;
	fake_clock_set(1000);
	fake_clock_on_sleep = serve;
	assert_int_equal(sluice_vhost_user_create(&conf, &t), 0);
	return t;
}

static void
close_transport(struct sluice_transport *t)
{
	t->ops->destroy(t);
	fake_clock_on_sleep = NULL;
	fake_clock_run(1);
	if (peer.sock >= 0)
		close(peer.sock);
	close(peer.listen_fd);
	unlink(peer.path);
	rmdir(peer.dir);
	fake_check();
}

#define NB_STEPS 8
/* Those that have something to say to every back end: begin, vq_start, vq_stop. */
static const unsigned int talks[] = { 1, 3, 6 };

/* Step number i of a conversation. */
static int
do_step(struct sluice_transport *t, unsigned int i)
{
	static uint64_t ring[64];
	struct sluice_device_info info;
	struct sluice_vq_setup vq = { .size = 4,
		.dv_desc = ring,
		.dv_driver = ring,
		.dv_device = ring,
		.call_fd = -1,
		.kick_fd = STDERR_FILENO };
	struct dmap_region region = { .va = 4096, .len = 4096, .fd = STDERR_FILENO };

	sluice_transport_begin(t, 5000);
	switch (i) {
	case 0:
		return t->ops->connect(t, &info);
	case 1:
		return t->ops->begin(t, SLUICE_BIT(SLUICE_F_VERSION_1), 1500);
	case 2:
		return t->ops->show(t, &region, 1);
	case 3:
	case 4:
		vq.vq = i - 3;
		return t->ops->vq_start(t, &vq);
	case 5:
		return t->ops->commit(t, 2);
	case 6:
		return t->ops->vq_stop(t, 0);
	default:
		return t->ops->reset(t);
	}
}

/* False: the conversation has fewer answers. */
static bool
try_fault(enum fault fault, uint32_t at)
{
	static const int errors[NB_FAULTS] = { [FAULT_REFUSE] = -EREMOTEIO,
		[FAULT_SILENT] = -ETIMEDOUT,
		[FAULT_LATE] = -ETIMEDOUT,
		[FAULT_CLOSE] = -ECONNRESET,
		[FAULT_REQUEST] = -EPROTO,
		[FAULT_FLAGS] = -EPROTO,
		[FAULT_SIZE] = -EPROTO,
		[FAULT_TRAILING] = -EPROTO,
		[FAULT_DESCRIPTORS] = -EPROTO };
	unsigned int nb_fds = fake_count_fds(), i;
	struct sluice_transport *t = open_transport(fault, at);
	int64_t begin = sluice_clock_ms();
	uint32_t nb_requests;
	bool was_tried;
	int ret = 0, fd;

	fake_context("fault %u at answer %u", fault, at);
	for (i = 0; i < NB_STEPS && ret == 0; i++)
		ret = do_step(t, i);
	was_tried = peer.nb_answers > at;
	if (!was_tried || (fault == FAULT_REFUSE && ret == 0)) {
		/* All was well, or what was to be refused is a question. */
		fake_assert(ret == 0 && t->ops->check(t) == 0, "%d", ret);
	} else if (fault == FAULT_REFUSE) {
		fake_assert(ret == -EREMOTEIO, "%d", ret);
		fake_assert(t->ops->check(t) == 0 && !sees_end(), "the connection is over");
		assert_int_equal(do_step(t, NB_STEPS - 1), 0);
	} else {
		/* What nobody asked for is seen by the next exchange, or by the next look. */
		fake_assert(ret == errors[fault] || (fault == FAULT_TRAILING && ret == 0), "%d",
				ret);
		fake_assert(sluice_clock_ms() - begin <= 5000 || fault == FAULT_LATE, "%d ms",
				(int)(sluice_clock_ms() - begin));
		fake_assert(t->ops->check(t) != 0, "it counts as whole");
		if (ret != 0)
			fake_assert(sees_end(), "the back end is not told");
		nb_requests = peer.nb_requests;
		for (i = 0; i < RTE_DIM(talks) && ret != 0; i++)
			assert_int_equal(do_step(t, talks[i]), -ENOTCONN);
		serve();
		fake_assert(ret == 0 || peer.nb_requests == nb_requests, "it is spoken to");
	}
	fd = t->ops->disconnect(t);
	assert_true(fd >= 0 && sees_end());
	assert_int_equal(t->ops->disconnect(t), -1);
	close(fd);
	close_transport(t);
	fake_assert(fake_count_fds() == nb_fds, "descriptors are left");
	return was_tried;
}

static void
test_faults(void **state)
{
	unsigned int fault;
	uint32_t at;

	(void)state;
	for (fault = FAULT_REFUSE; fault < NB_FAULTS; fault++) {
		for (at = 0; try_fault(fault, at); at++)
			;
		assert_in_range(at, 20, 40);
	}
}

/* Who comes after one that erred is a new one. */
static void
test_anew(void **state)
{
	struct sluice_transport *t = open_transport(FAULT_SILENT, 4);
	unsigned int i;
	int fd;

	(void)state;
	assert_int_equal(do_step(t, 0), -ETIMEDOUT);
	fd = t->ops->disconnect(t);
	close(fd);
	close(peer.sock);
	peer.sock = -1;
	peer.fault = FAULT_NONE;
	for (i = 0; i < NB_STEPS; i++)
		assert_int_equal(do_step(t, i), 0);
	/* Cut off from outside: nothing waits, nothing is said, until the next connection. */
	t->ops->cut(t);
	assert_true(t->ops->is_connected(t) && sees_end());
	for (i = 0; i < RTE_DIM(talks); i++)
		assert_true(do_step(t, talks[i]) < 0);
	fd = t->ops->disconnect(t);
	close(fd);
	close(peer.sock);
	peer.sock = -1;
	assert_int_equal(do_step(t, 0), 0);
	close_transport(t);
}

/* A connection, and what is said of it while the port tries again; then the back end is gone. */
static const char *
try_again(struct sluice_transport *t, int connect_error)
{
	int fd;

	fake_log_begin();
	assert_int_equal(do_step(t, 0), connect_error);
	if (connect_error == 0)
		assert_int_equal(do_step(t, 1), -EREMOTEIO);
	fd = t->ops->disconnect(t);
	close(fd);
	close(peer.sock);
	peer.sock = -1;
	return fake_log_end();
}

/* One that stays unusable is spoken of once, and again when something else is wrong with it. */
static void
test_unusable(void **state)
{
	struct sluice_transport *t = open_transport(FAULT_NONE, 0);
	unsigned int i;

	(void)state;
	t->is_retry = true;
	for (i = 0; i < 2; i++) {
		peer.is_legacy = true;
		assert_non_null(strstr(try_again(t, -ENOTSUP), "VIRTIO_F_VERSION_1"));
		assert_string_equal(try_again(t, -ENOTSUP), "");
		peer.is_legacy = false;
		peer.refuses_features = true;
		assert_non_null(strstr(try_again(t, 0), "does not accept features"));
		assert_string_equal(try_again(t, 0), "");
		peer.refuses_features = false;
	}
	close_transport(t);
}

/* A server's socket goes with it; one that somebody else made in its place stays. */
static void
test_own_socket(void **state)
{
	struct sluice_vhost_user_conf conf = { .path = peer.path, .is_server = true };
	struct sluice_transport *t;
	int other;

	(void)state;
	strcpy(peer.dir, "/tmp/sluice-unit-XXXXXX");
	assert_non_null(mkdtemp(peer.dir));
	snprintf(peer.path, sizeof(peer.path), "%s/s", peer.dir);
	assert_int_equal(sluice_vhost_user_create(&conf, &t), 0);
	assert_int_equal(access(peer.path, F_OK), 0);
	t->ops->destroy(t);
	assert_int_equal(access(peer.path, F_OK), -1);
	assert_int_equal(sluice_vhost_user_create(&conf, &t), 0);
	/* The first one keeps its number while it is open. */
	assert_int_equal(unlink(peer.path), 0);
	other = sluice_vu_listen(peer.path, &(struct sluice_socket_access){ 0 });
	assert_true(other >= 0);
	t->ops->destroy(t);
	assert_int_equal(access(peer.path, F_OK), 0);
	close(other);
	unlink(peer.path);
	rmdir(peer.dir);
}

/* What the C library and the kernel do not give. */
static void
test_create(void **state)
{
	struct sluice_vhost_user_conf conf = { .path = "/tmp/x" };
	unsigned int nb_fds = fake_count_fds();
	struct sluice_transport *t = NULL;
	uint32_t nth = 0;
	int ret = -1;

	(void)state;
	for (nth = 0; ret != 0; nth++) {
		fake_fault_arm(nth);
		ret = sluice_vhost_user_create(&conf, &t);
		fake_fault_disarm();
		assert_true(ret == -ENOMEM || ret == -EMFILE || ret == 0);
		if (ret == 0)
			t->ops->destroy(t);
		assert_int_equal(fake_count_fds(), nb_fds);
	}
	/* Three calls, and the one that none fails of. */
	assert_int_equal(nth, 4);
}

/* What is sent out of band is there to be read, whichever side the other one is. */
static void
test_urgent(void **state)
{
	char dir[] = "/tmp/sluice-unit-XXXXXX", path[64];
	int l, socks[2], i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	l = sluice_vu_listen(path, &(struct sluice_socket_access){ 0 });
	socks[0] = sluice_vu_connect(path);
	socks[1] = sluice_vu_accept(l);
	for (i = 0; i < 2; i++) {
		assert_int_equal(sluice_vu_check_quiet(socks[i]), 0);
		/* Linux before 5.15 has nothing of the kind. */
		if (send(socks[1 - i], "!", 1, MSG_OOB) == 1)
			assert_int_equal(sluice_vu_check_quiet(socks[i]), -EPROTO);
	}
	close(socks[0]);
	close(socks[1]);
	close(l);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	suite_add(test_faults, NULL, "faults");
	suite_add(test_anew, NULL, "anew");
	suite_add(test_unusable, NULL, "unusable");
	suite_add(test_own_socket, NULL, "own socket");
	suite_add(test_create, NULL, "create");
	suite_add(test_urgent, NULL, "urgent");
	return suite_run("exchange");
}
