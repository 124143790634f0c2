/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The vhost-vdpa transport over a kernel that is a fake: what it is told, and in which order.
 */

#include <unistd.h>

#include "fake_clock.h"
#include "sluice_park.h"
#include "vdpa_steps.h"

#define STATUS_RUNS \
	(SLUICE_STATUS_ACKNOWLEDGE | SLUICE_STATUS_DRIVER | SLUICE_STATUS_FEATURES_OK | \
			SLUICE_STATUS_DRIVER_OK)

static void
expect_ring(uint16_t vq)
{
	const struct fake_vdpa_ring *r = &fake_vdpa.rings[vq];
	struct sluice_vq_setup s = setup_of(vq);

	assert_int_equal(r->num, s.size);
	assert_int_equal(r->base, s.is_packed ? 0x80008000 : 0);
	assert_int_equal(r->addr.desc_user_addr, s.desc_da.v);
	assert_int_equal(r->addr.avail_user_addr, s.driver_da.v);
	assert_int_equal(r->addr.used_user_addr, s.device_da.v);
	assert_int_equal(r->kick_fd, s.kick_fd);
	assert_int_equal(r->call_fd, s.call_fd);
	assert_true(r->err_fd >= 0);
	assert_true(r->is_enabled);
}

/* The device reaches exactly regions first to first + nb, with their rights. */
static void
expect_maps(unsigned int first, unsigned int nb)
{
	uint64_t reached = 0, wanted = 0;
	struct vhost_iotlb_msg *m;
	struct dmap_region r;
	unsigned int i, k;

	assert_false(fake_vdpa.is_in_batch || fake_vdpa.lacks_maps);
	for (i = first; i < first + nb; i++) {
		r = region(i);
		wanted += r.len;
		for (k = 0; k < fake_vdpa.nb_maps; k++) {
			m = &fake_vdpa.maps[k];
			if (m->iova < r.da.v || m->iova + m->size > r.da.v + r.len)
				continue;
			reached += m->size;
			assert_int_equal(m->uaddr - r.va, m->iova - r.da.v);
			assert_int_equal(m->perm,
					r.flags & DMAP_REGION_READ_ONLY ? VHOST_ACCESS_RO :
									  VHOST_ACCESS_RW);
		}
		fake_assert(reached == wanted, "region %u is not mapped", i);
	}
	for (k = 0; k < fake_vdpa.nb_maps; k++)
		reached -= fake_vdpa.maps[k].size;
	assert_int_equal(reached, 0);
}

static struct sluice_transport *
connected(void)
{
	struct sluice_transport *t = create();

	assert_non_null(t);
	assert_int_equal(t->ops->connect(t, &info), 0);
	return t;
}

static void
test_life(void **state)
{
	struct sluice_transport *t;
	unsigned int i;

	(void)state;
	fake_vdpa_reset();
	t = connected();
	assert_int_equal(info.features, FAKE_VDPA_FEATURES);
	assert_int_equal(info.nb_pairs_max, 1);
	assert_false(info.has_mac || info.has_ats);
	assert_int_equal(t->ops->vq_size_max(t, 1), 1024);
	assert_int_equal(t->ops->vq_size_max(t, 2), 0);
	assert_int_equal(fake_vdpa.nb_maps, 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(run(t, 2, ALL), 0);
		assert_int_equal(fake_vdpa.status, STATUS_RUNS);
		assert_int_equal(fake_vdpa.features, info.features);
		expect_ring(0);
		expect_ring(1);
		expect_maps(0, NB_REGIONS);
		assert_int_equal(stop_now(t, 2), 0);
		assert_int_equal(fake_vdpa.status, 0);
		expect_maps(0, 0);
	}
	assert_int_equal(fake_vdpa.nb_batches, 4);
	assert_int_equal(t->ops->disconnect(t), -1);
	assert_false(t->ops->is_connected(t) || fake_vdpa.is_open);
	assert_int_equal(show(t, 0, 1), -ENOTCONN);
	/* While it runs, too: what closes the node takes all from the device. */
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 2, ALL), 0);
	assert_int_equal(t->ops->disconnect(t), -1);
	expect_maps(0, 0);
	destroy(t);
}

/* Many queues with a control queue, packed rings, an address of its own. */
static void
test_queues(void **state)
{
	struct sluice_transport *t;
	struct sluice_vq_setup vq;
	unsigned int i;

	(void)state;
	fake_vdpa_reset();
	many_queues();
	t = connected();
	assert_int_equal(info.nb_pairs_max, 2);
	assert_true(info.has_mac);
	assert_memory_equal(info.mac, fake_vdpa.config, 6);
	assert_int_equal(t->ops->vq_size_max(t, SLUICE_VQ_CTRL(2)), 1024);
	assert_int_equal(run(t, 5, ALL), 0);
	for (i = 0; i < 5; i++)
		expect_ring(i);
	assert_int_equal(stop_now(t, 5), 0);
	assert_int_equal(t->ops->begin(t, info.features, 1500), 0);
	vq = setup_of(4);
	vq.is_packed = true;
	assert_int_equal(t->ops->vq_start(t, &vq), 0);
	assert_int_equal(fake_vdpa.rings[4].base, 0x80008000);
	vq.size = 100;
	fake_log_begin();
	assert_int_equal(t->ops->vq_start(t, &vq), -EINVAL);
	assert_non_null(strstr(fake_log_end(), "powers of two"));
	destroy(t);
}

/* Without a control queue there is nothing that needs one; what the configuration lacks is not. */
static void
test_features(void **state)
{
	struct sluice_transport *t;

	(void)state;
	fake_vdpa_reset();
	fake_vdpa.offered |= SLUICE_NET_CTRL_FEATURES | SLUICE_BIT(SLUICE_NET_F_SPEED_DUPLEX);
	fake_vdpa.config_len = 16;
	t = connected();
	assert_int_equal(info.features, FAKE_VDPA_FEATURES);
	destroy(t);
	fake_vdpa_reset();
	many_queues();
	fake_vdpa.offered |= SLUICE_BIT(SLUICE_NET_F_RSS) | SLUICE_BIT(SLUICE_NET_F_SPEED_DUPLEX);
	memcpy(fake_vdpa.config + SLUICE_NET_CONFIG_RSS_KEY, "\x28\x80\x00\x3f\x00\x00\x00", 7);
	/* Two looks differ, and the third agrees with the second. */
	fake_vdpa.nb_torn = 2;
	t = connected();
	assert_int_equal(info.features, fake_vdpa.offered);
	assert_int_equal(info.rss_types, 0x3f);
	destroy(t);
#ifdef RTE_ARCH_X86
	/* A NIC that needs memory in order for itself. */
	fake_vdpa_reset();
	fake_vdpa.insists_on = SLUICE_BIT(SLUICE_F_ORDER_PLATFORM);
	fake_vdpa.offered |= fake_vdpa.insists_on;
	t = connected();
	assert_int_equal(t->ops->begin(t, info.features & t->ops->features, 0), 0);
	assert_true(fake_vdpa.features & fake_vdpa.insists_on);
	destroy(t);
#endif
	/* VDUSE: a program may need all rights on the rings. */
	fake_vdpa_reset();
	fake_vdpa.where = "../../devices/vduse/vd0/vhost-vdpa-0";
	t = connected();
	assert_true(info.has_ats);
	destroy(t);
}

/* What stays is not touched, and a refusal changes nothing. */
static void
test_maps(void **state)
{
	struct sluice_transport *t;
	unsigned int has_batch, nb;
	const char *log;

	(void)state;
	for (has_batch = 0; has_batch < 2; has_batch++) {
		fake_context("%s batches", has_batch ? "with" : "without");
		fake_vdpa_reset();
		fake_vdpa.backend_offered = has_batch ? 0xe : 0x2;
		t = connected();
		assert_int_equal(run(t, 2, ALL), 0);
		nb = fake_vdpa.nb_updates;
		assert_int_equal(show(t, 1, 4), 0);
		expect_maps(1, 4);
		assert_int_equal(fake_vdpa.nb_updates, nb + 3);
		assert_int_equal(fake_vdpa.nb_invalidates, 1);
		assert_int_equal(fake_vdpa.nb_batches, has_batch ? 3 : 0);
		fake_vdpa.maps_max = fake_vdpa.nb_maps + 1;
		fake_log_begin();
		assert_int_equal(show(t, 1, 8), -ENOMEM);
		assert_int_equal(show(t, 1, 8), -ENOMEM);
		log = fake_log_end();
		fake_assert(strstr(log, "ulimit -l") != NULL, "%s", log);
		expect_maps(1, 4);
		fake_vdpa.maps_max = FAKE_VDPA_MAPS;
		assert_int_equal(show(t, 1, 8), 0);
		expect_maps(1, 8);
		destroy(t);
	}
}

/* Hardware is asked with the last page, a program is not; that gets the file of a pool whole. */
static void
test_a_file_is_one_map(void **state)
{
	const struct dmap_region file = {
		.va = 0x10000000, .len = 5 << 20, .da.v = 0x20000000, .fd = 0
	};
	struct sluice_transport *t;
	unsigned int is_vduse;

	(void)state;
	for (is_vduse = 0; is_vduse < 2; is_vduse++) {
		fake_vdpa_reset();
		if (is_vduse)
			fake_vdpa.where = "../../devices/vduse/vd0/vhost-vdpa-0";
		t = connected();
		assert_int_equal(t->ops->begin(t, info.features, 1500), 0);
		assert_int_equal(t->ops->show(t, &file, 1), 0);
		assert_int_equal(fake_vdpa.nb_maps, is_vduse ? 1 : 2);
		assert_int_equal(t->ops->reset(t), 0);
		destroy(t);
	}
}

/*
 * What the device says of a table that came in a batch nobody hears. It is told all the same that
 * there is more than it takes: one line with the cure, all is as before, and there is room later.
 */
static void
test_a_table_that_the_device_refuses(void **state)
{
	static const int errors[] = { -ENOSPC, -EINVAL, -EIO, -ENOMEM };
	struct sluice_transport *t;
	unsigned int i;
	const char *log;

	(void)state;
	for (i = 0; i < RTE_DIM(errors); i++) {
		fake_context("error %d", errors[i]);
		fake_vdpa_reset();
		fake_vdpa.table_error = errors[i];
		t = connected();
		assert_int_equal(run(t, 2, ALL), 0);
		fake_vdpa.table_max = 8;
		fake_log_begin();
		assert_int_equal(show(t, 0, 8), errors[i] == -ENOMEM ? -ENOMEM : -EREMOTEIO);
		expect_maps(0, NB_REGIONS);
		/* A domain tries one by one. */
		assert_int_not_equal(show(t, 0, 7), 0);
		log = fake_log_end();
		fake_assert(nb_lines(log) == 1, "%s", log);
		fake_assert(strstr(log, errors[i] == -ENOMEM ? "ulimit -l" : "isolation=copy") !=
						NULL,
				"%s", log);
		assert_int_equal(show(t, 0, 6), 0);
		expect_maps(0, 6);
		fake_vdpa.table_max = 10;
		assert_int_equal(show(t, 0, 7), 0);
		expect_maps(0, 7);
		destroy(t);
	}
}

static void
test_range(void **state)
{
	struct sluice_transport *t;
	const char *log;

	(void)state;
	fake_vdpa_reset();
	fake_vdpa.range.first = region(1).da.v;
	fake_vdpa.range.last = region(3).da.v + region(3).len - 1;
	t = connected();
	assert_int_equal(t->ops->begin(t, info.features, 0), 0);
	assert_int_equal(show(t, 1, 3), 0);
	fake_log_begin();
	assert_int_equal(show(t, 0, 4), -EREMOTEIO);
	assert_int_equal(show(t, 1, 4), -EREMOTEIO);
	log = fake_log_end();
	fake_assert(strstr(log, "0x7010000 to 0x7033fff") != NULL, "%s", log);
	expect_maps(1, 3);
	destroy(t);
}

/* All of the device is in the address space that is mapped; and it stops in order where it can. */
static void
test_groups_and_suspend(void **state)
{
	struct sluice_transport *t;

	(void)state;
	fake_vdpa_reset();
	many_queues();
	fake_vdpa.nb_groups = 3;
	t = connected();
	assert_int_equal(run(t, 5, ALL), 0);
	assert_int_equal(fake_vdpa.joined, 0);
	destroy(t);
	fake_vdpa.nb_spaces = 2;
	fake_vdpa.backend_offered |= SLUICE_BIT(VHOST_BACKEND_F_SUSPEND);
	t = connected();
	assert_int_equal(run(t, 5, ALL), 0);
	assert_int_equal(fake_vdpa.joined, 7);
	assert_int_equal(stop_now(t, 5), 0);
	expect_maps(0, 0);
	destroy(t);
}

static enum sluice_news
wake(struct sluice_transport *t, unsigned int which)
{
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	unsigned int nb = t->ops->poll_fds(t, true, pfds);

	assert_int_equal(nb, 2);
	assert_int_equal(pfds[0].fd, fake_vdpa.rings[0].err_fd);
	assert_int_equal(pfds[1].fd, fake_vdpa.config_fd);
	pfds[0].revents = which == 0 ? POLLIN : 0;
	pfds[1].revents = which == 1 ? POLLIN : 0;
	return t->ops->polled(t, pfds, nb);
}

/* What it says while it runs: link, announcement, trouble, its end. */
static void
test_news(void **state)
{
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	struct sluice_device_state s;
	struct sluice_transport *t;

	(void)state;
	fake_vdpa_reset();
	many_queues();
	t = create();
	assert_int_equal(t->ops->poll_fds(t, true, pfds), 0);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 5, ALL), 0);
	t->ops->state(t, &s);
	assert_true(s.is_link_up && !s.is_gone && !s.needs_reset && !s.wants_announce);
	assert_int_equal(wake(t, 2), SLUICE_NEWS_NONE);
	fake_vdpa.config[6] = SLUICE_NET_S_ANNOUNCE;
	assert_int_equal(wake(t, 1), SLUICE_NEWS_DEVICE);
	assert_int_equal(t->ops->check(t), 0);
	t->ops->state(t, &s);
	assert_true(!s.is_link_up && s.wants_announce);
	assert_int_equal(wake(t, 0), SLUICE_NEWS_DEVICE);
	assert_int_equal(t->ops->check(t), -EPROTO);
	assert_int_equal(t->ops->check(t), 0);
	assert_int_equal(fake_vdpa.nb_drained, 2);
	fake_vdpa.status |= SLUICE_STATUS_NEEDS_RESET;
	assert_int_equal(t->ops->check(t), 0);
	t->ops->state(t, &s);
	assert_true(s.needs_reset && !s.is_gone);
	fake_vdpa.where = NULL;
	assert_int_equal(t->ops->check(t), 0);
	t->ops->state(t, &s);
	assert_true(s.is_gone);
	destroy(t);
	/* Without sysfs nobody says that it is gone. */
	fake_vdpa_reset();
	fake_vdpa.has_sysfs = false;
	t = connected();
	assert_int_equal(t->ops->check(t), 0);
	t->ops->state(t, &s);
	assert_true(s.is_link_up && !s.is_gone);
	t->ops->cut(t);
	assert_int_equal(t->ops->check(t), -ECONNRESET);
	destroy(t);
}

/* The device lets go when its back end answers, and buffers that it had are not due before. */
static void
expect_eof(int eof_fd)
{
	struct sluice_park park;
	uint64_t nb_unacked = 0;
	struct pollfd pfd;

	assert_true(eof_fd >= 0);
	sluice_park_init(&park, &nb_unacked);
	assert_non_null(sluice_park_open(&park, eof_fd));
	sluice_park_serve(&park);
	assert_int_equal(sluice_park_poll_fds(&park, &pfd, 1), 1);
	assert_true(sluice_park_next(&park) > sluice_clock_ms() + SLUICE_PARK_GRACE_MS);
	fake_vdpa_go_on();
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	sluice_park_serve(&park);
	assert_int_equal(sluice_park_poll_fds(&park, &pfd, 1), 0);
	sluice_park_close(&park, 0);
	sluice_park_fini(&park);
	fake_vdpa_go_on();
}

/* A back end that does not answer: nobody waits longer than asked, and its end is known. */
static void
test_hang(void **state)
{
	struct sluice_device_state s;
	struct sluice_transport *t;
	const char *log;
	int eof_fd;
	int64_t begin;

	(void)state;
	fake_vdpa_reset();
	t = connected();
	assert_int_equal(run(t, 2, ALL), 0);
	fake_vdpa_hang();
	fake_log_begin();
	begin = sluice_clock_ms();
	sluice_transport_begin(t, 100);
	assert_int_equal(stop_now(t, 2), -ETIMEDOUT);
	assert_true(sluice_clock_ms() - begin < 2000);
	log = fake_log_end();
	fake_assert(nb_lines(log) == 1 && strstr(log, "no answer in time") != NULL, "%s", log);
	/* What the kernel could not answer either is not asked. */
	assert_int_equal(t->ops->check(t), 0);
	t->ops->state(t, &s);
	assert_false(s.is_gone);
	sluice_transport_begin(t, 5000);
	assert_int_equal(show(t, 0, 1), -ETIMEDOUT);
	sluice_transport_begin(t, 50);
	eof_fd = t->ops->disconnect(t);
	assert_false(t->ops->is_connected(t));
	/* Nobody else has it: our own close goes on. */
	fake_log_begin();
	sluice_transport_begin(t, 5000);
	assert_int_equal(t->ops->connect(t, &info), -EBUSY);
	log = fake_log_end();
	fake_assert(nb_lines(log) == 1 && strstr(log, "this port still closes") != NULL, "%s", log);
	expect_eof(eof_fd);
	expect_maps(0, 0);
	sluice_transport_begin(t, 5000);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 2, ALL), 0);
	/* From outside: who waits stops waiting. */
	fake_vdpa_hang();
	t->ops->cut(t);
	assert_int_equal(t->ops->reset(t), -ETIMEDOUT);
	eof_fd = t->ops->disconnect(t);
	expect_eof(eof_fd);
	destroy(t);
}

int
main(void)
{
	suite_add(test_life, NULL, "life");
	suite_add(test_queues, NULL, "queues");
	suite_add(test_features, NULL, "features");
	suite_add(test_maps, NULL, "maps");
	suite_add(test_a_file_is_one_map, NULL, "a file is one map");
	suite_add(test_a_table_that_the_device_refuses, NULL, "a table that the device refuses");
	suite_add(test_range, NULL, "range");
	suite_add(test_groups_and_suspend, NULL, "groups and suspend");
	suite_add(test_news, NULL, "news");
	suite_add(test_hang, NULL, "a back end that hangs");
	return suite_run("vhost_vdpa");
}
