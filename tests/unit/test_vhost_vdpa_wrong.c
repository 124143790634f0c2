/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The vhost-vdpa transport when the kernel refuses: each of its calls in turn, and each trouble
 * that a machine or a device may have.
 */

#include "vdpa_steps.h"

/* One call fails: it is said, the step has its error, and all that was made is undone. */
static void
try_failure(uint64_t backend, uint32_t nth, int err)
{
	struct sluice_transport *t;
	const char *log;
	int ret;

	fake_vdpa_reset();
	many_queues();
	fake_vdpa.backend_offered = backend;
	fake_vdpa.nb_spaces = 2;
	fake_vdpa.fail_at = nth;
	fake_vdpa.fail_with = err;
	fake_log_begin();
	t = create();
	ret = t == NULL ? -1 : t->ops->connect(t, &info);
	if (ret == 0)
		ret = run(t, 5, ALL);
	if (ret == 0)
		ret = stop_now(t, 5);
	if (t != NULL)
		t->ops->disconnect(t);
	log = fake_log_end();
	fake_context("backend 0x%x, call %u (%s) fails with %d", (unsigned int)backend, nth,
			fake_vdpa.failed, err);
	fake_assert(fake_vdpa.nb_maps == 0 && fake_vdpa.status == 0, "it reaches something");
	/* A device that is not suspended is reset all the same; a look comes again. */
	if (ret == 0)
		fake_assert(strcmp(fake_vdpa.failed, "suspend") == 0 ||
						strcmp(fake_vdpa.failed, "ioctl") == 0,
				"it is as if nothing had happened");
	else
		fake_assert(strstr(log, "path=/dev/vhost-vdpa-0: ") != NULL,
				"nothing is said of key and value: %s", log);
	if (t != NULL)
		destroy(t);
	assert_int_equal(fake_vdpa.nb_open, 0);
}

static uint32_t
count_calls(uint64_t backend)
{
	struct sluice_transport *t;
	uint32_t nb;

	fake_vdpa_reset();
	many_queues();
	fake_vdpa.backend_offered = backend;
	fake_vdpa.nb_spaces = 2;
	t = create();
	assert_int_equal(t->ops->connect(t, &info), 0);
	assert_int_equal(run(t, 5, ALL), 0);
	assert_int_equal(stop_now(t, 5), 0);
	nb = fake_vdpa.nb_calls;
	destroy(t);
	return nb;
}

static void
test_each_call_fails(void **state)
{
	static const uint64_t backends[] = { 0x1e, 0x2 };
	static const int errors[] = { -EIO, -ENOMEM };
	unsigned int b, i;
	uint32_t nb, nth;

	(void)state;
	rte_log_set_global_level(RTE_LOG_INFO);
	for (b = 0; b < RTE_DIM(backends); b++) {
		nb = count_calls(backends[b]);
		assert_true(nb > 50);
		for (nth = 0; nth < nb; nth++)
			for (i = 0; i < RTE_DIM(errors); i++)
				try_failure(backends[b], nth, errors[i]);
	}
}

struct trouble {
	const char *name;
	void (*make)(void);
	int err;
	const char *says;
};

static void
no_node(void)
{
	fake_vdpa.node_error = -ENOENT;
}

static void
no_right(void)
{
	fake_vdpa.node_error = -EACCES;
}

static void
in_use(void)
{
	fake_vdpa.node_error = -EBUSY;
}

static void
another_kind(void)
{
	fake_vdpa.is_other = true;
}

static void
block_device(void)
{
	fake_vdpa.id = 2;
}

static void
old_kernel(void)
{
	fake_vdpa.backend_offered = 0;
}

static void
legacy(void)
{
	fake_vdpa.offered &= ~SLUICE_BIT(SLUICE_F_VERSION_1);
}

static void
few_queues(void)
{
	many_queues();
	fake_vdpa.nb_vqs = 4;
}

static void
no_pairs(void)
{
	many_queues();
	fake_vdpa.config[8] = 0;
}

static void
group_address(void)
{
	many_queues();
	fake_vdpa.config[0] = 1;
}

static void
restless(void)
{
	fake_vdpa.nb_torn = 1000;
}

static void
no_driver(void)
{
	fake_vdpa.refused_status = SLUICE_STATUS_DRIVER;
}

static const struct trouble troubles[] = {
	{ "no node", no_node, -ENOENT, "modprobe vhost_vdpa" },
	{ "no right", no_right, -EACCES, "right to read and write" },
	{ "in use", in_use, -EBUSY, "another process or port has the device" },
	{ "another kind", another_kind, -ENOTSUP, "not a device of vhost-vdpa" },
	{ "block device", block_device, -ENOTSUP, "of virtio's kind 2" },
	{ "old kernel", old_kernel, -ENOTSUP, "IOTLB_MSG_V2" },
	{ "legacy", legacy, -ENOTSUP, "VIRTIO_F_VERSION_1" },
	{ "few queues", few_queues, -EPROTO, "4 virtqueues" },
	{ "no pairs", no_pairs, -EPROTO, "0 queue pairs" },
	{ "group address", group_address, -EPROTO, "no unicast address" },
	{ "restless", restless, -EAGAIN, "VHOST_VDPA_GET_CONFIG" },
	{ "no driver", no_driver, -EPROTO, "does not take status 0x02" },
};

/* One line each, with path and what to do; and all is undone. */
static void
test_troubles(void **state)
{
	const struct trouble *tr;
	struct sluice_transport *t;
	const char *log;
	int ret;

	(void)state;
	for (tr = troubles; tr < troubles + RTE_DIM(troubles); tr++) {
		fake_context("%s", tr->name);
		fake_vdpa_reset();
		t = create();
		tr->make();
		fake_log_begin();
		ret = t->ops->connect(t, &info);
		log = fake_log_end();
		fake_assert(ret == tr->err, "%d", ret);
		fake_assert(!t->ops->is_connected(t) && !fake_vdpa.is_open, "it is connected");
		fake_assert(nb_lines(log) == 1, "%u lines: %s", nb_lines(log), log);
		fake_assert(strstr(log, "/dev/vhost-vdpa-0: ") != NULL &&
						strstr(log, tr->says) != NULL,
				"no '%s' in: %s", tr->says, log);
		/* Only what goes with the transport is left. */
		fake_assert(fake_vdpa.nb_open == 2, "%u descriptors are left", fake_vdpa.nb_open);
		destroy(t);
	}
}

/* A device that does not take what was agreed is not started. */
static void
test_refused_status(void **state)
{
	static const uint8_t bits[] = { SLUICE_STATUS_FEATURES_OK, SLUICE_STATUS_DRIVER_OK };
	struct sluice_transport *t;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(bits); i++) {
		fake_vdpa_reset();
		t = create();
		assert_int_equal(t->ops->connect(t, &info), 0);
		fake_vdpa.refused_status = bits[i];
		assert_int_equal(run(t, 2, ALL), -EPROTO);
		destroy(t);
	}
}

/* What fails again is not said again. */
static void
test_said_once(void **state)
{
	struct sluice_transport *t;
	const char *log;

	(void)state;
	fake_vdpa_reset();
	t = create();
	fake_vdpa.node_error = -ENOENT;
	assert_int_equal(t->ops->connect(t, &info), -ENOENT);
	t->is_retry = true;
	fake_log_begin();
	assert_int_equal(t->ops->connect(t, &info), -ENOENT);
	log = fake_log_end();
	fake_assert(nb_lines(log) == 0, "%s", log);
	fake_log_begin();
	fake_vdpa.node_error = -EBUSY;
	assert_int_equal(t->ops->connect(t, &info), -EBUSY);
	log = fake_log_end();
	fake_assert(nb_lines(log) == 1, "%s", log);
	destroy(t);
}

/* Each trouble once; one that comes after another is another. */
static void
test_each_said_once(void **state)
{
	const struct trouble *tr;
	struct sluice_transport *t;
	unsigned int i, nb;
	const char *log;

	(void)state;
	fake_vdpa_reset();
	t = create();
	t->is_retry = true;
	for (tr = troubles; tr < troubles + RTE_DIM(troubles); tr++) {
		nb = fake_vdpa.nb_open;
		fake_vdpa_reset();
		fake_vdpa.nb_open = nb;
		tr->make();
		fake_log_begin();
		for (i = 0; i < 3; i++)
			assert_int_equal(t->ops->connect(t, &info), tr->err);
		log = fake_log_end();
		fake_assert(nb_lines(log) == 1 && strstr(log, tr->says) != NULL, "%s: %s", tr->name,
				log);
	}
	destroy(t);
}

int
main(void)
{
	suite_add(test_each_call_fails, NULL, "each call fails");
	suite_add(test_troubles, NULL, "troubles");
	suite_add(test_each_said_once, NULL, "each said once");
	suite_add(test_refused_status, NULL, "refused status");
	suite_add(test_said_once, NULL, "said once");
	return suite_run("vhost_vdpa_wrong");
}
