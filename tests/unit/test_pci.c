/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The PCI transport with a device that keeps to the rules, within their latitude, or stops to
 * answer.
 */

#include <sys/eventfd.h>
#include <unistd.h>

#include "pci_steps.h"

#define RUNNING \
	(SLUICE_STATUS_ACKNOWLEDGE | SLUICE_STATUS_DRIVER | SLUICE_STATUS_FEATURES_OK | \
			SLUICE_STATUS_DRIVER_OK)
#define CONFIG32(at, value) memcpy(&dev.config[at], &(uint32_t){ value }, 4)
#ifdef RTE_ARCH_X86
#define HAS_ORDER true
#else
#define HAS_ORDER false
#endif

/* A device that keeps to the rules is understood, and gets what it needs. */
static void
test_start(void **state)
{
	static const uint8_t mac[6] = { 0x02, 0x00, 0x00, 0x11, 0x22, 0x33 };
	struct sluice_transport *t = NULL;
	enum step step;
	unsigned int i;

	(void)state;
	fake_context("start");
	fake_pci_init(&dev);
	assert_int_equal(create(&t), 0);
	assert_false(t->ops->is_connected(t));
	assert_int_equal(run_until_refused(t, ANY, &step), 0);
	fake_check();
	assert_true(t->ops->is_connected(t));
	assert_int_equal(info.nb_pairs_max, 4);
	assert_int_equal(info.mtu, 1500);
	assert_true(info.has_mac);
	assert_memory_equal(info.mac, mac, 6);
	assert_int_equal(info.features, dev.features);
	assert_int_equal(dev.status, RUNNING);
	assert_int_equal(dev.driver_features, dev.features & ANY);
	assert_int_equal(dev.config_vector, 0);
	assert_true(dev.is_running);
	for (i = 0; i < 2; i++) {
		const struct fake_pci_queue *q = &dev.queues[i];

		assert_true(q->is_enabled);
		assert_int_equal(q->size, 64);
		assert_int_equal(q->addr[0], 0x50000000 + i);
		assert_int_equal(q->addr[1], 0x11223344);
		assert_int_equal(q->addr[2], 0x60000000 + i);
		assert_int_equal(q->addr[3], 0x21223344);
		assert_int_equal(q->addr[4], 0x70000000 + i);
		assert_int_equal(q->addr[5], 0x31223344);
		assert_int_equal(q->msix_vector, SLUICE_MSIX_NO_VECTOR);
	}
	assert_false(dev.queues[2].is_enabled);
	assert_int_equal(t->ops->vq_size_max(t, 7), 256);
	assert_int_equal(t->ops->vq_size_max(t, 8), 64);
	assert_int_equal(t->ops->vq_size_max(t, 9), 0);
	assert_int_equal(t->ops->reset(t), 0);
	assert_int_equal(dev.status, 0);
	assert_int_equal(run_until_refused(t, ANY, &step), 0);
	t->ops->destroy(t);
	assert_int_equal(dev.status, 0);
	assert_int_equal(dev.nb_stops, 0);
	fake_check();
}

/* RSS and hashes (5.1.4.1): a device that has less than it must has none. */
static void
check_rss_limits(bool has_rss, bool has_hash)
{
	static const struct {
		uint8_t key;
		uint16_t table;
		bool is_good;
	} cases[] = { { 40, 128, true }, { 52, 512, true }, { 255, 0xffff, true },
		{ 40, 129, true }, { 39, 128, false }, { 40, 127, false }, { 0, 128, false },
		{ 40, 0, false }, { 0, 0, false } };
	const uint64_t rss = SLUICE_BIT(SLUICE_NET_F_RSS);
	const uint64_t hash = SLUICE_BIT(SLUICE_NET_F_HASH_REPORT);
	struct sluice_transport *t;
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases) + 2; i++) {
		bool is_good = has_rss && i < RTE_DIM(cases) && cases[i].is_good;
		/* It has no table. */
		bool is_good_hash = has_hash && i < RTE_DIM(cases) && cases[i].key >= 40;
		uint8_t key = i < RTE_DIM(cases) ? cases[i].key : 40;
		uint16_t table = i < RTE_DIM(cases) ? cases[i].table : 128;

		fake_context("%u: key %u, table %u", i, key, table);
		fake_pci_init(&dev);
		dev.features &= ~(rss | hash);
		dev.features |= (has_rss ? rss : 0) | (has_hash ? hash : 0);
		dev.net[SLUICE_NET_CONFIG_RSS_KEY] = key;
		dev.net[SLUICE_NET_CONFIG_RSS_TABLE] = table;
		dev.net[SLUICE_NET_CONFIG_RSS_TABLE + 1] = table >> 8;
		dev.net[SLUICE_NET_CONFIG_HASH_TYPES] = 0xbf;
		dev.net[SLUICE_NET_CONFIG_HASH_TYPES + 1] = 0x01;
		/* Without the control queue; with a structure that ends before. */
		if (i == RTE_DIM(cases))
			dev.features &= ~SLUICE_BIT(SLUICE_NET_F_CTRL_VQ);
		else if (i > RTE_DIM(cases))
			CONFIG32(FAKE_PCI_CAP_DEVICE + 12, SLUICE_NET_CONFIG_RSS_END - 1);
		assert_int_equal(create(&t), 0);
		sluice_transport_begin(t, 1000);
		assert_int_equal(t->ops->connect(t, &info), 0);
		fake_assert(((info.features & rss) != 0) == is_good, "features 0x%lx",
				(unsigned long)info.features);
		fake_assert(((info.features & hash) != 0) == is_good_hash, "features 0x%lx",
				(unsigned long)info.features);
		fake_assert(info.rss_types == (is_good || is_good_hash ? 0x1bf : 0), "types 0x%x",
				info.rss_types);
		t->ops->destroy(t);
		fake_check();
	}
}

static void
test_rss_limits(void **state)
{
	(void)state;
	check_rss_limits(true, false);
	check_rss_limits(false, true);
	check_rss_limits(true, true);
}

/* One queue is forgotten, slowly, and set up anew with another size; the others stay. */
static void
test_reset_queue(void **state)
{
	struct sluice_vq_setup vq = setup_of(0, 32);
	struct sluice_transport *t = NULL;
	unsigned int i;

	(void)state;
	fake_context("reset of a queue");
	fake_pci_init(&dev);
	t = create_running();
	for (i = 1; i <= 3; i++) {
		dev.vq_reset_reads = i - 1;
		assert_int_equal(t->ops->vq_reset(t, 0), 0);
		assert_int_equal(dev.queues[0].nb_resets, i);
		assert_false(dev.queues[0].is_enabled);
		assert_true(dev.queues[1].is_enabled);
		assert_int_equal(t->ops->vq_start(t, &vq), 0);
		assert_int_equal(dev.queues[0].size, 32);
		assert_true(dev.queues[0].is_enabled);
	}
	assert_int_equal(dev.status, RUNNING);
	t->ops->destroy(t);
	fake_check();

	fake_context("no room for the register: no feature");
	fake_pci_init(&dev);
	fake_pci_cap(&dev, FAKE_PCI_CAP_COMMON, FAKE_PCI_CAP_NOTIFY, 1, FAKE_PCI_BAR,
			FAKE_PCI_COMMON, 0x38);
	t = create_running();
	assert_int_equal(dev.driver_features & SLUICE_BIT(SLUICE_F_RING_RESET), 0);
	t->ops->destroy(t);
	fake_check();
}

/* Hardware that insists on order for itself, and not for CPUs only: it has that on x86. */
static void
test_order(void **state)
{
	const uint64_t order = SLUICE_BIT(SLUICE_F_ORDER_PLATFORM);
	struct sluice_transport *t = NULL;
	enum step step;

	(void)state;
	fake_context("ORDER_PLATFORM");
	fake_pci_init(&dev);
	dev.features |= order;
	dev.insists_on = order;
	assert_int_equal(create(&t), 0);
	assert_int_equal(run_until_refused(t, ANY, &step), HAS_ORDER ? 0 : -EPROTO);
	assert_int_equal(step, HAS_ORDER ? NOWHERE : CONNECT);
	assert_int_equal(t->ops->features & order, HAS_ORDER ? order : 0);
	t->ops->destroy(t);
	fake_check();
}

/* A device that does not say that it has forgotten a queue, or is gone. */
static void
test_reset_queue_in_vain(void **state)
{
	struct sluice_transport *t = NULL;
	unsigned int i;
	int64_t begin;

	(void)state;
	for (i = 0; i < 3; i++) {
		fake_context("reset of a queue in vain, %u", i);
		fake_pci_init(&dev);
		t = create_running();
		dev.vq_reset_reads = i == 0 ? UINT32_MAX : 0;
		dev.keeps_enabled = i == 1;
		dev.is_gone = i == 2;
		begin = sluice_clock_ms();
		sluice_transport_begin(t, 1000);
		assert_int_equal(t->ops->vq_reset(t, 0), i == 2 ? -ENODEV : -ETIMEDOUT);
		assert_in_range(sluice_clock_ms() - begin, i == 2 ? 0 : 1000, i == 2 ? 0 : 1001);
		dev.is_gone = false;
		t->ops->destroy(t);
		fake_check();
	}
}

/* A device that was stopped from outside is none until it is reached anew. */
static void
test_cut_and_again(void **state)
{
	struct sluice_transport *t = NULL;
	enum step step;

	(void)state;
	fake_context("cut");
	fake_pci_init(&dev);
	t = create_running();
	assert_int_equal(t->ops->check(t), 0);
	t->ops->cut(t);
	assert_false(dev.is_running);
	assert_int_equal(t->ops->check(t), -ECONNRESET);
	t->ops->disconnect(t);
	assert_int_equal(run_until_refused(t, ANY, &step), 0);
	assert_true(dev.is_running);
	assert_int_equal(t->ops->check(t), 0);
	t->ops->destroy(t);
	fake_check();
}

/* A queue of more slots than the device has, or that it does not have, is not set up. */
static void
test_no_such_queue(void **state)
{
	struct sluice_transport *t = NULL;
	struct sluice_vq_setup vq;

	(void)state;
	fake_context("no such queue");
	fake_pci_init(&dev);
	assert_int_equal(create(&t), 0);
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(t->ops->begin(t, dev.features & ANY, 0), 0);
	vq = setup_of(0, 257);
	assert_int_equal(t->ops->vq_start(t, &vq), -EINVAL);
	vq = setup_of(9, 16);
	assert_int_equal(t->ops->vq_start(t, &vq), -EINVAL);
	vq = setup_of(8, 16);
	assert_int_equal(t->ops->vq_start(t, &vq), 0);
	t->ops->destroy(t);
	fake_check();
}

/* What may be missing or different, and is not held against the device. */
static void
test_tolerated(void **state)
{
	struct sluice_transport *t = NULL;
	enum step step;

	(void)state;
	fake_context("no control queue: one pair");
	fake_pci_init(&dev);
	dev.features &= ~SLUICE_BIT(SLUICE_NET_F_CTRL_VQ);
	t = create_running();
	assert_int_equal(info.nb_pairs_max, 1);
	assert_int_equal(info.features & SLUICE_BIT(SLUICE_NET_F_MQ), 0);
	t->ops->destroy(t);

	fake_context("a second instance of each, unknown types and BARs before them");
	fake_pci_init(&dev);
	dev.config[0x34] = FAKE_PCI_CAP_SPARE;
	fake_pci_cap(&dev, FAKE_PCI_CAP_SPARE, FAKE_PCI_CAP_SPARE + 16, 1, 7, 0, 0);
	fake_pci_cap(&dev, FAKE_PCI_CAP_SPARE + 16, FAKE_PCI_CAP_SPARE + 32, 9, 3, 0xffffffff,
			0xffffffff);
	fake_pci_cap(&dev, FAKE_PCI_CAP_SPARE + 32, FAKE_PCI_CAP_COMMON, 3, 0, 0, 4);
	dev.config[FAKE_PCI_CAP_MSIX + 1] = FAKE_PCI_CAP_SPARE + 48;
	fake_pci_cap(&dev, FAKE_PCI_CAP_SPARE + 48, 0, 1, FAKE_PCI_BAR, 0x800, 0x100);
	t = create_running();
	t->ops->destroy(t);

	fake_context("slow reset, configuration that changes now and then, no vector");
	fake_pci_init(&dev);
	dev.status = 1;
	dev.reset_reads = 3;
	dev.nb_restless = 4;
	dev.nb_vectors_kept = 0;
	t = create_running();
	t->ops->destroy(t);

	fake_context("G21 no MSI-X, and no interrupt at all");
	fake_pci_init(&dev);
	dev.config[FAKE_PCI_CAP_DEVICE + 1] = 0;
	assert_int_equal(create(&t), 0);
	assert_true(dev.is_intx);
	assert_int_equal(run_until_refused(t, ANY, &step), 0);
	assert_int_equal(dev.config_vector, SLUICE_MSIX_NO_VECTOR);
	t->ops->destroy(t);
	fake_pci_init(&dev);
	dev.has_no_irq = true;
	t = create_running();
	assert_int_equal(dev.config_vector, SLUICE_MSIX_NO_VECTOR);
	t->ops->destroy(t);
	fake_check();
}

/* What the device says while it runs. */
static void
test_state(void **state)
{
	struct sluice_device_state s;
	struct sluice_transport *t = NULL;

	(void)state;
	fake_context("state");
	fake_pci_init(&dev);
	t = create_running();
	t->ops->state(t, &s);
	assert_true(s.is_link_up && !s.is_gone && !s.needs_reset && !s.is_half_duplex);
	assert_int_equal(s.speed, 10000);
	dev.net[6] = 0;
	dev.net[16] = 0;
	dev.net[15] = 0x80; /* more than 0x7fffffff: unknown (5.1.4) */
	t->ops->state(t, &s);
	assert_true(!s.is_link_up && s.is_half_duplex);
	assert_int_equal(s.speed, UINT32_MAX);
	dev.status |= SLUICE_STATUS_NEEDS_RESET;
	t->ops->state(t, &s);
	assert_true(s.needs_reset && !s.is_gone);
	dev.is_gone = true;
	t->ops->state(t, &s);
	assert_true(s.is_gone && !s.needs_reset);
	t->ops->destroy(t);
	assert_int_equal(dev.nb_stops, 1);
	fake_check();
}

static enum sluice_news
look(struct sluice_transport *t)
{
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	unsigned int nb = t->ops->poll_fds(t, true, pfds);

	assert_in_range(nb, 1, SLUICE_TRANSPORT_FDS);
	poll(pfds, nb, 0);
	return t->ops->polled(t, pfds, nb);
}

/* G22: interrupts are only hints: early, in storms, and late. */
static void
test_interrupts(void **state)
{
	struct sluice_transport *t = NULL;
	enum step step;
	unsigned int i;

	(void)state;
	fake_context("interrupts");
	fake_pci_init(&dev);
	assert_int_equal(create(&t), 0);
	fake_pci_interrupt(&dev);
	assert_int_equal(look(t), SLUICE_NEWS_DEVICE);
	assert_int_equal(run_until_refused(t, ANY, &step), 0);
	assert_int_equal(look(t), SLUICE_NEWS_NONE);
	for (i = 0; i < 100000; i++)
		fake_pci_interrupt(&dev);
	assert_int_equal(look(t), SLUICE_NEWS_DEVICE);
	assert_int_equal(look(t), SLUICE_NEWS_NONE);
	t->ops->disconnect(t);
	fake_pci_interrupt(&dev);
	assert_int_equal(look(t), SLUICE_NEWS_DEVICE);
	assert_int_equal(look(t), SLUICE_NEWS_NONE);
	t->ops->destroy(t);
	fake_check();
}

/* Any thread may cut a device off, and then nothing waits for it. */
static void
test_cut(void **state)
{
	struct sluice_transport *t = NULL;
	enum step step;

	(void)state;
	fake_context("cut");
	fake_pci_init(&dev);
	t = create_running();
	sluice_transport_begin(t, 5000);
	dev.reset_reads = UINT32_MAX;
	t->ops->cut(t);
	assert_false(dev.is_running);
	/* The clock stands, so a wait would have no end. */
	assert_int_equal(t->ops->reset(t), -ETIMEDOUT);
	assert_int_equal(t->ops->disconnect(t), -1);
	dev.reset_reads = 0;
	assert_int_equal(run_until_refused(t, ANY, &step), 0);
	assert_true(dev.is_running);
	t->ops->destroy(t);
	fake_check();
}

/* A device that stops answering while it runs is stopped from outside, within the deadline. */
static void
test_stuck(void **state)
{
	struct sluice_transport *t = NULL;
	enum step step;

	(void)state;
	fake_context("stuck");
	fake_pci_init(&dev);
	t = create_running();
	dev.reset_reads = UINT32_MAX;
	sluice_transport_begin(t, 1000);
	assert_int_equal(t->ops->reset(t), -ETIMEDOUT);
	assert_int_equal(dev.nb_stops, 1);
	assert_false(dev.is_running);
	assert_int_equal(run_until_refused(t, ANY, &step), -ETIMEDOUT);
	assert_int_equal(step, CONNECT);
	/* And one that comes back is taken again. */
	dev.reset_reads = 0;
	assert_int_equal(run_until_refused(t, ANY, &step), 0);
	assert_true(dev.is_running);
	t->ops->destroy(t);
	fake_check();
}

/* ATS counts when the kernel switched it on; a list that makes no sense is no ATS, and ends. */
static void
test_ats(void **state)
{
	static const struct {
		bool is_express;
		uint32_t first, second, control;
		bool has_ats;
	} cases[] = {
		{ true, 0x0001 | 0x140u << 20, 0x000f, 0x80000000, true },
		{ true, 0x000f, 0, 0, false },                               /* there, but off */
		{ true, 0x0001 | 0x140u << 20, 0x000f, 0, false },           /* the same */
		{ true, 0x0001, 0x000f, 0x80000000, false },                 /* not in the list */
		{ true, 0, 0x000f, 0x80000000, false },                      /* no list */
		{ true, 0x0001 | 0x100u << 20, 0x000f, 0x80000000, false },  /* a circle */
		{ true, 0x0001 | 0xffcu << 20, 0x000f, 0x80000000, false },  /* out of reach */
		{ true, 0x0001 | 0x040u << 20, 0x000f, 0x80000000, false },  /* not extended */
		{ true, UINT32_MAX, 0x000f, 0x80000000, false },             /* gone */
		{ false, 0x0001 | 0x140u << 20, 0x000f, 0x80000000, false }, /* conventional */
	};
	struct sluice_transport *t = NULL;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(cases); i++) {
		fake_context("ATS, case %u", i);
		fake_pci_init(&dev);
		dev.is_express = cases[i].is_express;
		CONFIG32(0x100, cases[i].first);
		CONFIG32(0x140, cases[i].second);
		CONFIG32(0x144, cases[i].control);
		assert_int_equal(create(&t), 0);
		assert_int_equal(t->ops->connect(t, &info), 0);
		fake_assert(info.has_ats == cases[i].has_ats, "has ATS: %d", info.has_ats);
		t->ops->destroy(t);
	}
}

int
main(void)
{
	suite_add(test_start, NULL, "start");
	suite_add(test_rss_limits, NULL, "RSS limits");
	suite_add(test_order, NULL, "order");
	suite_add(test_reset_queue, NULL, "reset_queue");
	suite_add(test_reset_queue_in_vain, NULL, "reset_queue_in_vain");
	suite_add(test_cut_and_again, NULL, "cut_and_again");
	suite_add(test_no_such_queue, NULL, "no such queue");
	suite_add(test_tolerated, NULL, "tolerated");
	suite_add(test_state, NULL, "state");
	suite_add(test_interrupts, NULL, "interrupts");
	suite_add(test_cut, NULL, "cut");
	suite_add(test_stuck, NULL, "stuck");
	suite_add(test_ats, NULL, "ATS");
	return suite_run("pci");
}
