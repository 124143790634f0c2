/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The channel of the back end's requests, over its pair of sockets: good requests, and every kind
 * of bad one. A bad one ends the channel; none blocks, none leaves a descriptor open.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "env.h"
#include "fake_fault.h"
#include "fake_socket.h"
#include "vhost_user_backend_req.h"

#define CHANGE SLUICE_VU_BACKEND_CONFIG_CHANGE
#define V SLUICE_VU_VERSION
#define ASK (SLUICE_VU_VERSION | SLUICE_VU_NEED_REPLY)

static struct sluice_vu_backend b;
static int peer;

static void
open_pair(bool has_reply_ack)
{
	assert_int_equal(sluice_vu_backend_open(&b, has_reply_ack, &peer), 0);
}

static void
close_pair(void)
{
	sluice_vu_backend_close(&b);
	sluice_vu_backend_close(&b); /* and once more does no harm */
	close(peer);
}

static void
say(uint32_t request, uint32_t flags, uint32_t size, uint32_t nb_sent)
{
	uint32_t words[3 + 1024] = { request, flags, size };

	assert_int_equal(write(peer, words, SLUICE_VU_HEADER_LEN + nb_sent),
			SLUICE_VU_HEADER_LEN + nb_sent);
}

static ssize_t
pass(int sock, unsigned int nb)
{
	uint32_t words[3] = { CHANGE, V, 0 };
	ssize_t n = fake_socket_send(sock, words, sizeof(words), nb, 0);

	return n < 0 ? -errno : n;
}

/* The verdict of an answer; -1: there is none. */
static int64_t
hear(uint32_t request)
{
	struct sluice_vu_msg msg;
	ssize_t n = recv(peer, &msg, sizeof(msg), MSG_DONTWAIT);

	if (n < 0)
		return -1;
	assert_int_equal(n, SLUICE_VU_HEADER_LEN + 8);
	assert_int_equal(msg.request, request);
	assert_int_equal(msg.flags, SLUICE_VU_VERSION | SLUICE_VU_REPLY);
	assert_int_equal(msg.size, 8);
	return msg.u64;
}

static void
test_change(void **state)
{
	(void)state;
	open_pair(true);
	assert_int_equal(sluice_vu_backend_read(&b, 0), 0);
	say(CHANGE, V, 0, 0);
	assert_int_equal(sluice_vu_backend_read(&b, 0), 1);
	assert_int_equal(hear(CHANGE), -1);
	/* Two at once are one piece of news; each is answered that asks. */
	say(CHANGE, ASK, 0, 0);
	say(CHANGE, ASK, 0, 0);
	assert_int_equal(sluice_vu_backend_read(&b, 0), 1);
	assert_int_equal(sluice_vu_backend_read(&b, 0), 0);
	assert_true(b.sock >= 0);
	close_pair();
	/* Without REPLY_ACK nobody is answered. */
	open_pair(false);
	say(CHANGE, ASK, 0, 0);
	assert_int_equal(sluice_vu_backend_read(&b, 0), 1);
	assert_int_equal(hear(CHANGE), -1);
	close_pair();
}

static void
test_unknown(void **state)
{
	static const uint32_t requests[] = { 0, 1, 3, 6, 99, UINT32_MAX };
	unsigned int i;

	(void)state;
	open_pair(true);
	for (i = 0; i < RTE_DIM(requests); i++) {
		say(requests[i], ASK, 40, 40);
		assert_int_equal(sluice_vu_backend_read(&b, 0), 0);
		assert_true(hear(requests[i]) > 0);
		say(requests[i], V, SLUICE_VU_BACKEND_PAYLOAD_MAX, SLUICE_VU_BACKEND_PAYLOAD_MAX);
		assert_int_equal(sluice_vu_backend_read(&b, 0), 0);
		assert_int_equal(hear(requests[i]), -1);
	}
	say(CHANGE, V, 0, 0);
	assert_int_equal(sluice_vu_backend_read(&b, 0), 1);
	close_pair();
}

/* What the protocol does not have: the channel ends, at once and without an answer. */
static void
test_bad(void **state)
{
	static const struct {
		uint32_t request, flags, size, nb_sent;
	} bad[] = {
		{ CHANGE, V, 8, 8 },                                 /* with a payload */
		{ CHANGE, 0, 0, 0 },                                 /* no version */
		{ CHANGE, 2, 0, 0 },                                 /* another one */
		{ CHANGE, V | SLUICE_VU_REPLY, 0, 0 },               /* an answer to nothing */
		{ CHANGE, V, SLUICE_VU_BACKEND_PAYLOAD_MAX + 1, 0 }, /* too long */
		{ 77, V, SLUICE_VU_BACKEND_PAYLOAD_MAX + 1, 300 },
		{ CHANGE, V, UINT32_MAX, 0 },
	};
	unsigned int i, before;

	(void)state;
	before = fake_count_fds();
	for (i = 0; i < RTE_DIM(bad); i++) {
		open_pair(true);
		say(bad[i].request, bad[i].flags, bad[i].size, bad[i].nb_sent);
		assert_int_equal(sluice_vu_backend_read(&b, 0), -EPROTO);
		assert_int_equal(b.sock, -1);
		assert_int_equal(sluice_vu_backend_read(&b, 0), 0);
		close_pair();
	}
	/* Out of band, which Linux before 5.15 does not have. */
	open_pair(true);
	if (send(peer, "\0\0\0\0\0\0\0\0\0\0\0", SLUICE_VU_HEADER_LEN, MSG_OOB) > 0)
		assert_int_equal(sluice_vu_backend_read(&b, 0), -EPROTO);
	close_pair();
	/* News before the bad one is lost with the channel. */
	open_pair(true);
	say(CHANGE, V, 0, 0);
	say(CHANGE, V, 8, 8);
	assert_int_equal(sluice_vu_backend_read(&b, 0), -EPROTO);
	close_pair();
	assert_int_equal(fake_count_fds(), before);
}

static void
test_descriptors(void **state)
{
	static const unsigned int nbs[] = { 1, 8, 64 };
	unsigned int i, before;
	int on = 1;

	(void)state;
	for (i = 0; i < RTE_DIM(nbs); i++) {
		before = fake_count_fds();
		open_pair(true);
		/* As on a kernel that cannot refuse them. */
		setsockopt(b.sock, SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof(on));
		assert_int_equal(pass(peer, nbs[i]), 12);
		assert_int_equal(sluice_vu_backend_read(&b, 0), -EPROTO);
		close_pair();
		assert_int_equal(fake_count_fds(), before);
	}
}

/* The end of a descriptor may take as long as its sender likes, so the kernel is to refuse them. */
static void
test_refused_descriptors(void **state)
{
	const struct sluice_socket_access anybody = { 0 };
	char dir[] = "/tmp/sluice-unit-XXXXXX", path[64];
	int listener, socks[2], off = 0, any = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	listener = sluice_vu_listen(path, &anybody);
	assert_true(listener >= 0);
	/* An emulator may know the option to be read only. */
	if (setsockopt(any, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) < 0) {
		print_message("this kernel cannot refuse descriptors\n");
	} else {
		socks[0] = sluice_vu_connect(path);
		/* Before it is accepted, too. */
		assert_int_equal(pass(socks[0], 1), -EPERM);
		socks[1] = sluice_vu_accept(listener);
		assert_int_equal(pass(socks[0], 1), -EPERM);
		assert_int_equal(pass(socks[1], 1), -EPERM);
		close(socks[0]);
		close(socks[1]);
		open_pair(true);
		assert_int_equal(pass(peer, 1), -EPERM);
		/* Theirs takes what it likes. */
		assert_int_equal(pass(b.sock, 1), 12);
		close_pair();
	}
	close(any);
	close(listener);
	unlink(path);
	rmdir(dir);
}

static void
test_pieces(void **state)
{
	uint32_t words[3 + 2] = { 99, ASK, 8 };
	unsigned int i;

	(void)state;
	open_pair(true);
	for (i = 0; i < sizeof(words); i++) {
		assert_int_equal(sluice_vu_backend_read(&b, 0), 0);
		assert_int_equal(hear(99), -1);
		assert_int_equal(write(peer, (char *)words + i, 1), 1);
	}
	assert_int_equal(sluice_vu_backend_read(&b, 0), 0);
	assert_true(hear(99) > 0);
	/* Closed in the middle, or before. */
	assert_int_equal(write(peer, words, 5), 5);
	shutdown(peer, SHUT_RDWR);
	assert_int_equal(sluice_vu_backend_read(&b, 0), -ECONNRESET);
	close_pair();
}

/* A flood is read in portions; the thread that polls is told to look away between them. */
static void
test_flood(void **state)
{
	unsigned int i, nb_calls = 0, nb_news = 0;
	int64_t now = 1000;
	int timeout;

	(void)state;
	open_pair(true);
	for (i = 0; i < 5 * SLUICE_VU_BACKEND_BURST; i++)
		say(CHANGE, V, 0, 0);
	for (; now < 2000; now++) {
		timeout = -1;
		if (sluice_vu_backend_poll(&b, now, &timeout) < 0) {
			assert_in_range(timeout, 1, SLUICE_VU_BACKEND_PAUSE_MS);
			assert_int_equal(sluice_vu_backend_read(&b, now), 0);
			continue;
		}
		assert_int_equal(timeout, -1);
		nb_calls++;
		nb_news += sluice_vu_backend_read(&b, now) > 0;
		if (nb_news == 5)
			break;
	}
	assert_int_equal(nb_news, 5);
	assert_int_equal(nb_calls, 5);
	assert_true(now >= 1000 + 4 * SLUICE_VU_BACKEND_PAUSE_MS);
	/* A shorter wish stays. */
	timeout = 3;
	assert_int_equal(sluice_vu_backend_poll(&b, now, &timeout), -1);
	assert_int_equal(timeout, 3);
	close_pair();
}

/* One that asks for answers and does not read them. */
static void
test_deaf(void **state)
{
	int64_t now = 0;
	unsigned int i;
	int ret = 0;

	(void)state;
	open_pair(true);
	for (i = 0; i < 100000 && ret >= 0; i++, now += SLUICE_VU_BACKEND_PAUSE_MS) {
		say(99, ASK, 0, 0);
		ret = sluice_vu_backend_read(&b, now);
	}
	assert_int_equal(ret, -EPROTO);
	assert_int_equal(b.sock, -1);
	close_pair();
}

int
main(void)
{
	suite_add(test_change, NULL, "the configuration changed");
	suite_add(test_unknown, NULL, "unknown requests");
	suite_add(test_bad, NULL, "bad messages");
	suite_add(test_descriptors, NULL, "descriptors");
	suite_add(test_refused_descriptors, NULL, "refused descriptors");
	suite_add(test_pieces, NULL, "in pieces");
	suite_add(test_flood, NULL, "a flood");
	suite_add(test_deaf, NULL, "answers that nobody reads");
	return suite_run("backend_req");
}
