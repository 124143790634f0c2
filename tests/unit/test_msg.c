/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * vhost-user messages over a socket pair whose other end misbehaves.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "env.h"
#include "fake_fault.h"
#include "fake_socket.h"
#include "sluice_clock.h"
#include "vhost_user_msg.h"

#define SHORT_MS 150

static int ours, theirs, cut_fd = -1;

static void
connect_pair(void)
{
	int sock[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	ours = sock[0];
	theirs = sock[1];
	fcntl(ours, F_SETFL, O_NONBLOCK);
}

static void
disconnect_pair(void)
{
	close(ours);
	if (theirs >= 0)
		close(theirs);
}

static struct sluice_vu_msg
good_reply(void)
{
	return (struct sluice_vu_msg){ .request = SLUICE_VU_GET_FEATURES,
		.flags = SLUICE_VU_VERSION | SLUICE_VU_REPLY,
		.size = 8,
		.u64 = 0x1122334455667788 };
}

/* Send len bytes, and nb descriptors with them. */
static void
answer(const void *bytes, size_t len, unsigned int nb)
{
	assert_int_equal(fake_socket_send(theirs, bytes, len, nb, 0), (ssize_t)len);
}

static struct sluice_vu_stream
stream(int64_t deadline)
{
	return (struct sluice_vu_stream){ .sock = ours, .cut_fd = cut_fd, .deadline = deadline };
}

static int
receive_by(struct sluice_vu_msg *msg, int64_t deadline)
{
	struct sluice_vu_stream s = stream(deadline);

	return sluice_vu_recv_reply(&s, SLUICE_VU_GET_FEATURES, msg, 8, 8);
}

static int
send_by(const struct sluice_vu_msg *msg, const int *fds, unsigned int nb, int64_t deadline)
{
	struct sluice_vu_stream s = stream(deadline);

	return sluice_vu_send(&s, msg, fds, nb);
}

static int
receive(struct sluice_vu_msg *msg)
{
	return receive_by(msg, sluice_clock_ms() + SHORT_MS);
}

static void
test_good_reply(void **state)
{
	struct sluice_vu_msg reply = good_reply(), msg;
	size_t cut;

	(void)state;
	/* In one piece and in two, wherever it is cut; and nothing of what follows is touched. */
	for (cut = 0; cut < 20; cut++) {
		connect_pair();
		if (cut != 0)
			answer(&reply, cut, 0);
		answer((char *)&reply + cut, 20 - cut, 0);
		answer("next", 4, 0);
		memset(&msg, 0, sizeof(msg));
		assert_int_equal(receive(&msg), 0);
		assert_true(msg.u64 == 0x1122334455667788);
		memset(&msg, 0, 8);
		assert_int_equal(recv(ours, &msg, 8, 0), 4);
		assert_memory_equal(&msg, "next", 4);
		disconnect_pair();
	}
}

static void
test_wrong_headers(void **state)
{
	static const struct {
		uint32_t request, flags, size;
	} cases[] = {
		{ SLUICE_VU_SET_FEATURES, 5, 8 },
		{ 0, 5, 8 },
		{ UINT32_MAX, 5, 8 },
		{ SLUICE_VU_GET_FEATURES, 1, 8 },
		{ SLUICE_VU_GET_FEATURES, 4, 8 },
		{ SLUICE_VU_GET_FEATURES, 6, 8 },
		{ SLUICE_VU_GET_FEATURES, 7, 8 },
		{ SLUICE_VU_GET_FEATURES, 0, 8 },
		{ SLUICE_VU_GET_FEATURES, 5, 0 },
		{ SLUICE_VU_GET_FEATURES, 5, 7 },
		{ SLUICE_VU_GET_FEATURES, 5, 9 },
		{ SLUICE_VU_GET_FEATURES, 5, 0x7fffffff },
		{ SLUICE_VU_GET_FEATURES, 5, UINT32_MAX },
	};
	struct sluice_vu_msg reply, msg;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(cases); i++) {
		connect_pair();
		reply = good_reply();
		reply.request = cases[i].request;
		reply.flags = cases[i].flags;
		reply.size = cases[i].size;
		answer(&reply, 20, 0);
		if (receive(&msg) != -EPROTO)
			fail_msg("case %u", i);
		disconnect_pair();
	}
}

/*
 * Nobody asked for descriptors: none is taken, however many and wherever they come. As on a kernel
 * that cannot refuse them.
 */
static void
test_unwanted_descriptors(void **state)
{
	static const int nbs[] = { 1, 2, 8, 100, 253 };
	struct sluice_vu_msg reply = good_reply(), msg;
	int before = fake_count_fds();
	unsigned int i, with;

	(void)state;
	for (i = 0; i < RTE_DIM(nbs); i++)
		for (with = 0; with < 2; with++) {
			connect_pair();
			answer(&reply, 12, with == 0 ? nbs[i] : 0);
			answer(&reply.u64, 8, with == 1 ? nbs[i] : 0);
			if (receive(&msg) != -EPROTO)
				fail_msg("%d descriptors", nbs[i]);
			disconnect_pair();
			assert_int_equal(fake_count_fds(), before);
		}
}

/* Silence after any number of bytes: the deadline holds. */
static void
test_silence(void **state)
{
	struct sluice_vu_msg reply = good_reply(), msg;
	static const size_t lens[] = { 0, 1, 11, 12, 13, 19 };
	int64_t begin, spent;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(lens); i++) {
		connect_pair();
		if (lens[i] != 0)
			answer(&reply, lens[i], 0);
		begin = sluice_clock_ms();
		assert_int_equal(receive(&msg), -ETIMEDOUT);
		spent = sluice_clock_ms() - begin;
		assert_in_range(spent, SHORT_MS - 1, 3 * SHORT_MS + 500);
		disconnect_pair();
	}
	/* A deadline that is over is no time at all, not for ever. */
	connect_pair();
	assert_int_equal(receive_by(&msg, sluice_clock_ms() - 5), -ETIMEDOUT);
	disconnect_pair();
}

/* Whoever waits is told to stop, before and while it waits. */
static void *
cut_later(void *arg)
{
	uint64_t one = 1;

	(void)arg;
	usleep(SHORT_MS * 1000);
	assert_int_equal(write(cut_fd, &one, sizeof(one)), sizeof(one));
	return NULL;
}

static void
test_cut(void **state)
{
	struct sluice_vu_msg msg;
	pthread_t thread;
	int64_t begin = sluice_clock_ms();

	(void)state;
	connect_pair();
	cut_fd = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(pthread_create(&thread, NULL, cut_later, NULL), 0);
	assert_int_equal(receive_by(&msg, begin + 60000), -ECANCELED);
	assert_int_equal(receive_by(&msg, begin + 60000), -ECANCELED);
	assert_in_range(sluice_clock_ms() - begin, SHORT_MS - 1, 3 * SHORT_MS + 500);
	pthread_join(thread, NULL);
	close(cut_fd);
	cut_fd = -1;
	disconnect_pair();
}

/* Before a request nothing may be there to read. */
static void
test_quiet(void **state)
{
	(void)state;
	connect_pair();
	assert_int_equal(sluice_vu_check_quiet(ours), 0);
	answer("x", 1, 0);
	assert_int_equal(sluice_vu_check_quiet(ours), -EPROTO);
	assert_int_equal(sluice_vu_check_quiet(ours), -EPROTO);
	disconnect_pair();
	connect_pair();
	close(theirs);
	theirs = -1;
	assert_int_equal(sluice_vu_check_quiet(ours), -ECONNRESET);
	disconnect_pair();
}

static void
test_closed(void **state)
{
	struct sluice_vu_msg reply = good_reply(), msg;
	size_t len;

	(void)state;
	for (len = 0; len < 20; len++) {
		connect_pair();
		if (len != 0)
			answer(&reply, len, 0);
		close(theirs);
		theirs = -1;
		assert_int_equal(receive(&msg), -ECONNRESET);
		disconnect_pair();
	}
}

/* A byte every 20 ms: each comes in time, all of them together do not. */
static void *
drip(void *arg)
{
	struct sluice_vu_msg reply = good_reply();
	unsigned int i;

	(void)arg;
	for (i = 0; i < 20; i++) {
		if (send(theirs, (char *)&reply + i, 1, MSG_NOSIGNAL) != 1)
			break;
		usleep(20000);
	}
	return NULL;
}

static void
test_slow_drip(void **state)
{
	struct sluice_vu_msg msg;
	pthread_t thread;
	int64_t begin;

	(void)state;
	connect_pair();
	begin = sluice_clock_ms();
	assert_int_equal(pthread_create(&thread, NULL, drip, NULL), 0);
	assert_int_equal(receive(&msg), -ETIMEDOUT);
	assert_in_range(sluice_clock_ms() - begin, SHORT_MS - 1, 3 * SHORT_MS + 500);
	pthread_join(thread, NULL);
	disconnect_pair();
	/* The same, given time. */
	connect_pair();
	assert_int_equal(pthread_create(&thread, NULL, drip, NULL), 0);
	assert_int_equal(receive_by(&msg, sluice_clock_ms() + 10000), 0);
	assert_true(msg.u64 == 0x1122334455667788);
	pthread_join(thread, NULL);
	disconnect_pair();
}

static void
test_send(void **state)
{
	struct sluice_vu_msg msg = { .request = SLUICE_VU_SET_MEM_TABLE,
		.flags = SLUICE_VU_VERSION,
		.size = 8 },
			     got;
	int fds[SLUICE_VU_TABLE_MAX + 1], i, before = fake_count_fds();
	char control[CMSG_SPACE(16 * sizeof(int))];
	struct iovec iov = { .iov_base = &got, .iov_len = sizeof(got) };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	(void)state;
	for (i = 0; i <= SLUICE_VU_TABLE_MAX; i++)
		fds[i] = STDERR_FILENO;
	connect_pair();
	assert_int_equal(send_by(&msg, fds, SLUICE_VU_TABLE_MAX + 1, sluice_clock_ms() + 100),
			-EINVAL);
	assert_int_equal(send_by(&msg, fds, SLUICE_VU_TABLE_MAX, sluice_clock_ms() + 100), 0);
	assert_int_equal(recvmsg(theirs, &mh, 0), 20);
	assert_memory_equal(&got, &msg, 20);
	assert_int_equal(CMSG_FIRSTHDR(&mh)->cmsg_len, CMSG_LEN(SLUICE_VU_TABLE_MAX * sizeof(int)));
	for (i = 0; i < SLUICE_VU_TABLE_MAX; i++) {
		memcpy(&fds[0], CMSG_DATA(CMSG_FIRSTHDR(&mh)) + i * sizeof(int), sizeof(int));
		close(fds[0]);
	}
	disconnect_pair();
	assert_int_equal(fake_count_fds(), before);
}

/* A back end that reads nothing, and one that is gone. */
static void
test_send_to_the_deaf(void **state)
{
	struct sluice_vu_msg msg = {
		.request = SLUICE_VU_SET_OWNER, .flags = SLUICE_VU_VERSION, .size = 64
	};
	int64_t begin;
	int ret = 0;

	(void)state;
	connect_pair();
	do {
		begin = sluice_clock_ms();
		ret = send_by(&msg, NULL, 0, begin + SHORT_MS);
	} while (ret == 0);
	assert_int_equal(ret, -ETIMEDOUT);
	assert_in_range(sluice_clock_ms() - begin, SHORT_MS - 1, 3 * SHORT_MS + 500);
	close(theirs);
	theirs = -1;
	/* No SIGPIPE. */
	assert_int_equal(send_by(&msg, NULL, 0, sluice_clock_ms() + SHORT_MS), -ECONNRESET);
	disconnect_pair();
}

static const struct sluice_socket_access anybody;

/* Permissions are those asked for, whatever the umask is; without a wish it decides. */
static void
test_access(void **state)
{
	static const struct {
		struct sluice_socket_access access;
		mode_t mode;
		gid_t group;
	} cases[] = {
		{ { .has_mode = true, .mode = 0660 }, 0660, 0 },
		{ { .has_mode = true, .mode = 0 }, 0, 0 },
		{ { .has_mode = true, .mode = 0777 }, 0777, 0 },
		{ { .has_group = true, .group = 65534 }, 0660, 65534 },
		{ { .has_group = true, .group = 65534, .has_mode = true, .mode = 0620 }, 0620,
				65534 },
		{ { .has_mode = false }, 0705, 0 },
	};
	char path[] = "/tmp/sluice-msg-access";
	mode_t old = umask(0072);
	struct stat st;
	unsigned int i;
	int l;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]) && geteuid() == 0; i++) {
		unlink(path);
		l = sluice_vu_listen(path, &cases[i].access);
		assert_true(l >= 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, cases[i].mode);
		assert_int_equal(st.st_gid, cases[i].group);
		close(l);
	}
	unlink(path);
	umask(old);
}

static void
test_sockets(void **state)
{
	char dir[] = "/tmp/sluice-unit-XXXXXX", path[64], longest[200];
	int before = fake_count_fds(), l, c, a;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	memset(longest, 'p', sizeof(longest));
	longest[199] = '\0';
	assert_int_equal(sluice_vu_connect(path), -ENOENT);
	assert_int_equal(sluice_vu_connect(longest), -ENAMETOOLONG);
	assert_int_equal(sluice_vu_listen(longest, &anybody), -ENAMETOOLONG);
	f = fopen(path, "w");
	fclose(f);
	assert_int_equal(sluice_vu_connect(path), -ENOTSOCK);
	/* Not ours to remove. */
	assert_int_equal(sluice_vu_listen(path, &anybody), -ENOTSOCK);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	l = sluice_vu_listen(path, &anybody);
	assert_true(l >= 0);
	assert_int_equal(sluice_vu_accept(l), -EAGAIN);
	c = sluice_vu_connect(path);
	assert_true(c >= 0);
	a = sluice_vu_accept(l);
	assert_true(a >= 0);
	assert_true(fcntl(a, F_GETFD) & fcntl(c, F_GETFD) & fcntl(l, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(a, F_GETFL) & fcntl(c, F_GETFL) & fcntl(l, F_GETFL) & O_NONBLOCK);
	close(a);
	close(c);
	assert_int_equal(sluice_vu_listen(path, &anybody), -EADDRINUSE);
	close(l);
	/* Left over: nobody answers. */
	assert_int_equal(sluice_vu_connect(path), -ECONNREFUSED);
	l = sluice_vu_listen(path, &anybody);
	assert_true(l >= 0);
	close(l);
	unlink(path);
	rmdir(dir);
	assert_int_equal(fake_count_fds(), before);
}

int
main(void)
{
	suite_add(test_good_reply, NULL, "good reply");
	suite_add(test_wrong_headers, NULL, "wrong headers");
	suite_add(test_unwanted_descriptors, NULL, "unwanted descriptors");
	suite_add(test_silence, NULL, "silence");
	suite_add(test_closed, NULL, "closed in the middle");
	suite_add(test_cut, NULL, "cut");
	suite_add(test_quiet, NULL, "quiet");
	suite_add(test_slow_drip, NULL, "slow drip");
	suite_add(test_send, NULL, "send");
	suite_add(test_send_to_the_deaf, NULL, "send to the deaf");
	suite_add(test_sockets, NULL, "sockets");
	suite_add(test_access, NULL, "permissions of a socket");
	return suite_run("msg");
}
