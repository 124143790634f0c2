/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The vhost-kernel transport when the kernel refuses: each of its calls in turn, and each trouble
 * that a machine may have; and signals.
 */

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "vk_steps.h"

/* Calls whose failure costs something that there is a substitute for, or that fail anyway. */
static bool
is_bearable(const char *what)
{
	static const char *const names[] = { "read", "news", "VDPA", "ready", "TUNGETIFF",
		"TUNSETOFFLOAD", "VHOST_GET_FEATURES_ARRAY" };
	unsigned int i;

	for (i = 0; i < RTE_DIM(names); i++)
		if (strcmp(what, names[i]) == 0)
			return true;
	return false;
}

/* One call fails: it is said once, the step has its error, and all that was made is undone. */
static void
try_failure(uint16_t nb_pairs, uint32_t nth, int err)
{
	struct sluice_transport *t;
	const char *log;
	int ret;

	fake_vk_reset();
	fake_vk.fail_at = nth;
	fake_vk.fail_with = err;
	fake_log_begin();
	t = create(nb_pairs, (const uint8_t *)"\x02\0\0\0\0\x01");
	ret = t == NULL ? -1 : t->ops->connect(t, &info);
	if (ret == 0)
		ret = run(t, 2 * nb_pairs, ALL);
	if (t != NULL)
		t->ops->disconnect(t);
	rte_log_set_global_level(RTE_LOG_CRIT);
	log = fake_log_end();
	fake_context("%u pairs, call %u (%s) fails with %d", nb_pairs, nth, fake_vk.failed, err);
	fake_assert(fake_vk_is_quiet(), "a ring is still the kernel's");
	if (fake_vk.failed == NULL || is_bearable(fake_vk.failed)) {
		assert_non_null(t);
	} else {
		fake_assert(ret < 0, "it is as if nothing had happened");
		fake_assert(strstr(log, "=") != NULL, "nothing is said of key and value: %s", log);
	}
	if (t != NULL)
		destroy(t);
	assert_int_equal(fake_vk.nb_open, 0);
}

static void
test_each_call_fails(void **state)
{
	static const int errors[] = { -EIO, -ENOMEM, -EPERM, -EBUSY };
	struct sluice_transport *t;
	uint32_t nb, nth;
	unsigned int i;
	uint16_t nb_pairs;

	(void)state;
	busy_poll_us = 50;
	for (nb_pairs = 1; nb_pairs <= 2; nb_pairs++) {
		fake_vk_reset();
		t = create(nb_pairs, (const uint8_t *)"\x02\0\0\0\0\x01");
		assert_int_equal(t->ops->connect(t, &info), 0);
		assert_int_equal(run(t, 2 * nb_pairs, ALL), 0);
		nb = fake_vk.nb_calls;
		destroy(t);
		assert_true(nb > 30);
		for (nth = 0; nth < nb; nth++)
			for (i = 0; i < RTE_DIM(errors); i++)
				try_failure(nb_pairs, nth, errors[i]);
	}
	busy_poll_us = 0;
}

struct trouble {
	const char *name;
	uint16_t nb_pairs;
	void (*make)(void);
	int err;
	const char *says[3];
};

static void
no_node(void)
{
	fake_vk.node_error = -ENOENT;
}

static void
no_module(void)
{
	fake_vk.node_error = -ENODEV;
}

static void
no_right(void)
{
	fake_vk.node_error = -EACCES;
}

static void
no_vhost(void)
{
	fake_vk.is_other = true;
}

static void
vdpa(void)
{
	fake_vk.is_vdpa = true;
}

static void
legacy(void)
{
	fake_vk.features &= ~SLUICE_BIT(SLUICE_F_VERSION_1);
}

static void
no_tun(void)
{
	fake_vk.tun_error = -ENOENT;
}

static void
no_right_to_tun(void)
{
	fake_vk.tun_error = -EACCES;
}

static void
not_capable(void)
{
	fake_vk.is_capable = false;
}

static void
foreign(void)
{
	there(IFF_TAP | IFF_NO_PI);
	fake_vk.is_foreign = true;
	fake_vk.is_capable = false;
}

static void
in_use(void)
{
	there(IFF_TAP | IFF_NO_PI);
	fake_vk.is_in_use = true;
}

static void
another_kind(void)
{
	there(0);
}

static void
layer_three(void)
{
	there(IFF_TUN | IFF_NO_PI);
}

static void
one_queue(void)
{
	there(IFF_TAP | IFF_NO_PI);
}

static const struct trouble troubles[] = {
	{ "no node", 1, no_node, -ENOENT, { "path=/dev/vhost-net", "modprobe vhost_net" } },
	{ "no module", 1, no_module, -ENODEV, { "path=/dev/vhost-net", "modprobe vhost_net" } },
	{ "no right", 1, no_right, -EACCES, { "path=/dev/vhost-net", "right to read and write" } },
	{ "another device", 1, no_vhost, -ENOTSUP, { "path=/dev/vhost-net", "character device" } },
	{ "vDPA", 1, vdpa, -ENOTSUP, { "path=/dev/vhost-net", "character device" } },
	{ "legacy", 1, legacy, -ENOTSUP, { "path=/dev/vhost-net", "VERSION_1" } },
	{ "no tun", 1, no_tun, -ENOENT, { "/dev/net/tun", "modprobe tun" } },
	{ "no right to tun", 1, no_right_to_tun, -EACCES, { "/dev/net/tun", "right to read" } },
	{ "no privilege", 1, not_capable, -EPERM,
			{ "iface=tap0", "CAP_NET_ADMIN", "ip tuntap add dev tap0" } },
	{ "another user's", 1, foreign, -EPERM, { "iface=tap0", "another user's" } },
	{ "in use", 1, in_use, -EBUSY, { "iface=tap0", "in use" } },
	{ "another kind", 1, another_kind, -EINVAL, { "iface=tap0", "another kind" } },
	{ "tun", 1, layer_three, -EINVAL, { "iface=tap0", "mode tap" } },
	{ "one queue", 2, one_queue, -EINVAL, { "iface=tap0", "queues=2", "multi_queue" } },
};

/* One line each, with key, value and what to do; and all is undone. */
static void
test_troubles(void **state)
{
	const struct trouble *tr;
	struct sluice_transport *t;
	const char *log;
	unsigned int i;
	int ret;

	(void)state;
	for (tr = troubles; tr < troubles + RTE_DIM(troubles); tr++) {
		fake_context("%s", tr->name);
		fake_vk_reset();
		t = create(tr->nb_pairs, NULL);
		tr->make();
		fake_log_begin();
		ret = t->ops->connect(t, &info);
		log = fake_log_end();
		fake_assert(ret == tr->err, "%d", ret);
		fake_assert(!t->ops->is_connected(t), "it is connected");
		fake_assert(nb_lines(log) == 1, "%u lines: %s", nb_lines(log), log);
		for (i = 0; i < RTE_DIM(tr->says) && tr->says[i] != NULL; i++)
			fake_assert(strstr(log, tr->says[i]) != NULL, "no '%s' in: %s", tr->says[i],
					log);
		/* Only what goes with the transport is left. */
		fake_assert(fake_vk.nb_open == 1, "%u descriptors are left", fake_vk.nb_open);
		destroy(t);
	}
}

/* What fails again is not said again. */
static void
test_said_once(void **state)
{
	struct sluice_transport *t = create_one();
	const char *log;

	(void)state;
	fake_vk.node_error = -ENOENT;
	assert_int_equal(t->ops->connect(t, &info), -ENOENT);
	t->is_retry = true;
	fake_log_begin();
	assert_int_equal(t->ops->connect(t, &info), -ENOENT);
	assert_int_equal(t->ops->connect(t, &info), -ENOENT);
	log = fake_log_end();
	fake_assert(nb_lines(log) == 0, "%s", log);
	fake_log_begin();
	fake_vk.node_error = -EACCES;
	assert_int_equal(t->ops->connect(t, &info), -EACCES);
	log = fake_log_end();
	fake_assert(nb_lines(log) == 1, "%s", log);
	destroy(t);
}

/* All ports of an interface have one length of headers: who changes that of another says so. */
static void
test_header_of_others(void **state)
{
	static const struct {
		int was;
		unsigned int nb_lines;
		sluice_features features;
	} rows[] = {
		{ 10, 0, ALL },
		{ 24, 0, ALL },
		{ 12, 1, ALL },
		{ 24, 1, UINT64_MAX },
		{ 12, 0, UINT64_MAX },
	};
	struct sluice_transport *t;
	unsigned int i;
	const char *log;

	(void)state;
	for (i = 0; i < RTE_DIM(rows); i++) {
		fake_context("row %u", i);
		fake_vk_reset();
		there(IFF_TAP | IFF_MULTI_QUEUE);
		fake_vk.features_high = 0xa;
		fake_vk.hdr_len = rows[i].was;
		t = create(1, NULL);
		assert_int_equal(t->ops->connect(t, &info), 0);
		fake_log_begin();
		assert_int_equal(run(t, 2, rows[i].features), 0);
		assert_int_equal(stop_now(t, 2), 0);
		/* Its own length is no other's. */
		assert_int_equal(run(t, 2, UINT64_MAX), 0);
		log = fake_log_end();
		fake_assert(nb_lines(log) == rows[i].nb_lines, "the log: %s", log);
		assert_int_equal(strstr(log, "iface=tap0: its net header was of") != NULL,
				rows[i].nb_lines);
		assert_int_equal(fake_vk.hdr_len, 12);
		destroy(t);
	}
}

static uint32_t is_over;

static void
on_signal(int signum)
{
	(void)signum;
}

static void *
signal_thread(void *arg)
{
	while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE))
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

/* Signals come while a descriptor is looked at that has nothing to say. */
static void
test_signals(void **state)
{
	const struct sigaction action = { .sa_handler = on_signal };
	pthread_t thread, here = pthread_self();
	int fds[2], i, ret = 0;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	is_over = 0;
	assert_int_equal(pthread_create(&thread, NULL, signal_thread, &here), 0);
	for (i = 0; i < 20000 && ret == 0; i++)
		ret = sluice_vk_linux.ready(fds[0]);
	__atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	signal(SIGUSR1, SIG_DFL);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(ret, 0);
}

int
main(void)
{
	suite_add(test_each_call_fails, NULL, "each call fails");
	suite_add(test_troubles, NULL, "troubles");
	suite_add(test_said_once, NULL, "said once");
	suite_add(test_header_of_others, NULL, "header of others");
	suite_add(test_signals, NULL, "signals");
	return suite_run("vhost_kernel_wrong");
}
