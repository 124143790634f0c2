/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The memory table of the vhost-user front end, against a scripted back end at the other end of a
 * socket, which keeps the slots that it was given and refuses what a stock one does: slots that
 * overlap, and slots that it does not have.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "env.h"
#include "fake_log.h"
#include "vhost_user.h"

#define SLOTS_MAX 16
#define PAGE_LEN 4096UL
#define BASE 0x100000000UL

struct peer {
	pthread_t thread;
	int sock;
	struct sluice_vu_region slots[SLOTS_MAX];
	unsigned int nb;
	unsigned int nb_tables, nb_adds, nb_rems;
	unsigned int refuse_after; /* so many additions are accepted, the next one is refused */
	uint64_t watched;          /* an address that must have a slot at any time; 0: none */
};

struct rig {
	struct vhost_user vu;
	struct peer peer;
	int files[3];
};

static bool
has(const struct peer *p, uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < p->nb; i++)
		if (addr - p->slots[i].user_addr < p->slots[i].size)
			return true;
	return false;
}

static bool
add(struct peer *p, const struct sluice_vu_region *r)
{
	unsigned int i;

	p->nb_adds++;
	if (p->refuse_after != 0 && --p->refuse_after == 0)
		return false;
	for (i = 0; i < p->nb; i++)
		if (r->user_addr < p->slots[i].user_addr + p->slots[i].size &&
				p->slots[i].user_addr < r->user_addr + r->size)
			return false;
	p->slots[p->nb++] = *r;
	return true;
}

static bool
rem(struct peer *p, const struct sluice_vu_region *r)
{
	unsigned int i;

	p->nb_rems++;
	for (i = 0; i < p->nb; i++)
		if (memcmp(&p->slots[i], r, sizeof(*r)) == 0) {
			p->slots[i] = p->slots[--p->nb];
			return true;
		}
	return false;
}

static bool
serve(struct peer *p, const struct sluice_vu_msg *msg)
{
	const struct sluice_vu_region region = msg->slot.region;

	switch (msg->request) {
	case SLUICE_VU_SET_MEM_TABLE:
		p->nb_tables++;
		p->nb = msg->table.nb;
		memcpy(p->slots, msg->table.regions, p->nb * sizeof(p->slots[0]));
		return true;
	case SLUICE_VU_ADD_MEM_REG:
		return add(p, &region);
	case SLUICE_VU_REM_MEM_REG:
		return rem(p, &region);
	default:
		return false;
	}
}

/* One message and the descriptors with it, which are closed. False: the connection ended. */
static bool
receive(int sock, struct sluice_vu_msg *msg)
{
	char control[CMSG_SPACE(SLUICE_VU_TABLE_MAX * sizeof(int))];
	struct iovec iov = { msg, SLUICE_VU_HEADER_LEN };
	struct msghdr h = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	unsigned int i;

	if (recvmsg(sock, &h, MSG_WAITALL) != (ssize_t)SLUICE_VU_HEADER_LEN)
		return false;
	for (c = CMSG_FIRSTHDR(&h); c != NULL; c = CMSG_NXTHDR(&h, c))
		for (i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
			close(((int *)CMSG_DATA(c))[i]);
	return recv(sock, (char *)msg + SLUICE_VU_HEADER_LEN, msg->size, MSG_WAITALL) ==
			(ssize_t)msg->size;
}

static void *
peer_thread(void *arg)
{
	struct peer *p = arg;
	struct sluice_vu_msg msg;

	while (receive(p->sock, &msg)) {
		msg.u64 = !serve(p, &msg);
		if (p->watched != 0 && !has(p, p->watched))
			fake_error("memory in use was out of reach");
		msg.size = sizeof(msg.u64);
		msg.flags = SLUICE_VU_VERSION | SLUICE_VU_REPLY;
		send(p->sock, &msg, SLUICE_VU_HEADER_LEN + msg.size, MSG_NOSIGNAL);
	}
	return NULL;
}

static void
cut(struct sluice_transport *t)
{
	struct vhost_user *vu = sluice_vu_of(t);

	shutdown(vu->sock, SHUT_WR);
}

static const struct sluice_transport_ops ops = { .name = "unit", .cut = cut };

static void
rig_open(struct rig *g, bool has_slots)
{
	unsigned int i;
	int socks[2];

	fake_errors_clear();
	fake_context("%s", has_slots ? "slots" : "table");
	memset(g, 0, sizeof(*g));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, socks), 0);
	g->vu.sock = socks[0];
	g->vu.path = (char *)(uintptr_t) "unit.sock";
	g->vu.regions_max = 8;
	g->vu.protocol = SLUICE_BIT(SLUICE_VU_PROTOCOL_F_REPLY_ACK);
	if (has_slots)
		g->vu.protocol |= SLUICE_BIT(SLUICE_VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	g->vu.cut_fd = -1;
	g->vu.base.ops = &ops;
	sluice_transport_begin(&g->vu.base, 5000);
	for (i = 0; i < RTE_DIM(g->files); i++)
		g->files[i] = memfd_create("unit", MFD_CLOEXEC);
	g->peer.sock = socks[1];
	assert_int_equal(pthread_create(&g->peer.thread, NULL, peer_thread, &g->peer), 0);
}

static void
rig_close(struct rig *g)
{
	unsigned int i;

	shutdown(g->vu.sock, SHUT_RDWR);
	pthread_join(g->peer.thread, NULL);
	close(g->vu.sock);
	close(g->peer.sock);
	free(g->vu.shown);
	for (i = 0; i < RTE_DIM(g->files); i++)
		close(g->files[i]);
	fake_check();
}

/* nb pages from page first on, of a file that has page 0 at its start. */
static struct dmap_region
region(const struct rig *g, unsigned int file, unsigned int first, unsigned int nb)
{
	struct dmap_region r = { .va = BASE + first * PAGE_LEN,
		.len = nb * PAGE_LEN,
		.fd = g->files[file],
		.fd_off = first * PAGE_LEN };

	r.da.v = r.va;
	return r;
}

/* The back end has exactly these pages, 32 of them at most, in so many slots. */
static void
expect(const struct rig *g, uint32_t pages, unsigned int nb_slots)
{
	unsigned int i;

	for (i = 0; i < 32; i++)
		fake_assert(has(&g->peer, BASE + i * PAGE_LEN) == ((pages >> i & 1) != 0),
				"page %u", i);
	fake_assert(g->peer.nb == nb_slots, "%u slots, not %u", g->peer.nb, nb_slots);
}

static int
show(struct rig *g, const struct dmap_region *r, unsigned int nb)
{
	return sluice_vu_show(&g->vu.base, r, nb);
}

/* A region in use grows at both ends, and never leaves. */
static void
test_growth(void **state)
{
	struct dmap_region r[2];
	struct rig g;

	(void)state;
	rig_open(&g, true);
	r[0] = region(&g, 0, 4, 4);
	assert_int_equal(show(&g, r, 1), 0);
	expect(&g, 0xf0, 1);
	g.vu.is_running = true;
	g.peer.watched = BASE + 5 * PAGE_LEN;
	r[0] = region(&g, 0, 2, 8);
	assert_int_equal(show(&g, r, 1), 0);
	expect(&g, 0x3fc, 3);
	assert_int_equal(g.peer.nb_rems, 0);
	/* Nothing new: nothing is said. */
	assert_int_equal(show(&g, r, 1), 0);
	assert_int_equal(g.peer.nb_adds, 3);
	/* What is not wanted goes, as far as slots go. */
	r[0] = region(&g, 0, 4, 5);
	assert_int_equal(show(&g, r, 1), 0);
	expect(&g, 0x3f0, 2);
	rig_close(&g);
}

/*
 * A part of a slot leaves: while the rings run the slot stays, and before they run again it is made
 * anew.
 */
static void
test_shrink(void **state)
{
	struct dmap_region r[2];
	struct rig g;

	(void)state;
	rig_open(&g, true);
	r[0] = region(&g, 0, 0, 12);
	assert_int_equal(show(&g, r, 1), 0);
	g.vu.is_running = true;
	g.peer.watched = BASE;
	r[0] = region(&g, 0, 0, 4);
	r[1] = region(&g, 0, 8, 4);
	assert_int_equal(show(&g, r, 2), 0);
	expect(&g, 0xfff, 1);
	assert_int_equal(g.peer.nb_rems, 0);
	g.vu.is_running = false;
	g.peer.watched = 0;
	assert_int_equal(show(&g, r, 2), 0);
	expect(&g, 0xf0f, 2);
	assert_int_equal(show(&g, NULL, 0), 0);
	expect(&g, 0, 0);
	/* Nothing, where there is nothing. */
	assert_int_equal(show(&g, NULL, 0), 0);
	rig_close(&g);
}

/*
 * Another file at the same place, under the same number of a descriptor: the back end must hear of
 * it.
 */
static void
test_other_file(void **state)
{
	struct dmap_region r[1];
	struct rig g;

	(void)state;
	rig_open(&g, true);
	g.vu.is_running = true;
	r[0] = region(&g, 0, 0, 4);
	assert_int_equal(show(&g, r, 1), 0);
	assert_int_equal(dup2(g.files[1], g.files[0]), g.files[0]);
	assert_int_equal(show(&g, r, 1), 0);
	expect(&g, 0xf, 1);
	assert_int_equal(g.peer.nb_adds, 2);
	assert_int_equal(g.peer.nb_rems, 1);
	/* Another number for the same file is none. */
	r[0].fd = dup(g.files[0]);
	assert_int_equal(show(&g, r, 1), 0);
	assert_int_equal(g.peer.nb_adds, 2);
	close(r[0].fd);
	rig_close(&g);
}

/* What was accepted before a refusal is known, and goes when it is not wanted. */
static void
test_refusal(void **state)
{
	struct dmap_region r[3];
	struct rig g;

	(void)state;
	rig_open(&g, true);
	r[0] = region(&g, 0, 0, 2);
	assert_int_equal(show(&g, r, 1), 0);
	g.vu.is_running = true;
	r[1] = region(&g, 1, 4, 2);
	r[2] = region(&g, 2, 8, 2);
	g.peer.refuse_after = 2;
	assert_int_equal(show(&g, r, 3), -EREMOTEIO);
	expect(&g, 0x33, 2);
	assert_int_equal(show(&g, r, 1), 0);
	expect(&g, 0x3, 1);
	assert_int_equal(show(&g, r, 3), 0);
	expect(&g, 0x333, 3);
	rig_close(&g);
}

/* More than the back end takes: said before anything is sent, with numbers and the remedy. */
static void
test_too_many(void **state)
{
	struct dmap_region r[10];
	unsigned int i, slots;
	const char *log;
	struct rig g;

	(void)state;
	for (slots = 0; slots < 2; slots++) {
		rig_open(&g, slots);
		for (i = 0; i < 9; i++)
			r[i] = region(&g, 0, 3 * i, 1);
		fake_log_begin();
		assert_int_equal(show(&g, r, 9), -ENOSPC);
		log = fake_log_end();
		assert_non_null(strstr(log, "path=unit.sock"));
		assert_non_null(strstr(log, "9 files"));
		assert_non_null(strstr(log, "takes 8"));
		assert_non_null(strstr(log, "--single-file-segments"));
		/* Tried again it is no news, unless the numbers are others. */
		g.vu.base.is_retry = true;
		fake_log_begin();
		assert_int_equal(show(&g, r, 9), -ENOSPC);
		assert_string_equal(fake_log_end(), "");
		r[9] = region(&g, 0, 27, 1);
		fake_log_begin();
		assert_int_equal(show(&g, r, 10), -ENOSPC);
		assert_non_null(strstr(fake_log_end(), "10 files"));
		expect(&g, 0, 0);
		assert_int_equal(show(&g, r, 8), 0);
		expect(&g, 0x249249, 8);
		assert_int_equal(g.peer.nb_tables, !slots);
		rig_close(&g);
	}
	/* Few enough as regions, but not as slots while the rings run. */
	rig_open(&g, true);
	for (i = 0; i < 8; i++)
		r[i] = region(&g, 0, 3 * i, 1);
	assert_int_equal(show(&g, r, 8), 0);
	g.vu.is_running = true;
	r[0] = region(&g, 0, 0, 2);
	assert_int_equal(show(&g, r, 8), -ENOSPC);
	expect(&g, 0x249249, 8);
	g.vu.is_running = false;
	r[0] = region(&g, 0, 0, 24);
	assert_int_equal(show(&g, r, 1), 0);
	expect(&g, 0xffffff, 1);
	rig_close(&g);
}

static void
test_no_peer(void **state)
{
	struct dmap_region r[1];
	struct rig g;

	(void)state;
	rig_open(&g, true);
	r[0] = region(&g, 0, 0, 1);
	shutdown(g.peer.sock, SHUT_RDWR);
	assert_int_equal(show(&g, r, 1), -ECONNRESET);
	rig_close(&g);
}

int
main(void)
{
	suite_add(test_growth, NULL, "growth");
	suite_add(test_shrink, NULL, "shrink");
	suite_add(test_other_file, NULL, "another file");
	suite_add(test_refusal, NULL, "refusal");
	suite_add(test_too_many, NULL, "too many");
	suite_add(test_no_peer, NULL, "no peer");
	return suite_run("mem");
}
