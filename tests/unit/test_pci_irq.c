/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Interrupts of receive queues on the PCI transport: each queue that asks gets them, by a vector of
 * its own, by that of the device, or by INTx; and a queue without any is refused.
 */

#include <sys/eventfd.h>
#include <unistd.h>

#include "pci_steps.h"

#define NB_PAIRS 4

static int fds[NB_PAIRS];

static void
open_fds(void)
{
	unsigned int i;

	for (i = 0; i < NB_PAIRS; i++)
		fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void
close_fds(void)
{
	unsigned int i;

	for (i = 0; i < NB_PAIRS; i++)
		close(fds[i]);
}

static uint64_t
nb_wakes(unsigned int pair)
{
	uint64_t nb = 0;

	return read(fds[pair], &nb, sizeof(nb)) == sizeof(nb) ? nb : 0;
}

/* All queues of the device; receive queues with interrupts, if has_irqs. */
static int
start_queues(struct sluice_transport *t, bool has_irqs)
{
	struct sluice_vq_setup vq;
	unsigned int i;
	int ret = t->ops->begin(t, ANY & info.features, 1500);

	for (i = 0; ret == 0 && i < 2 * NB_PAIRS; i++) {
		vq = setup_of(i, 64);
		vq.call_fd = has_irqs && i % 2 == 0 ? fds[i / 2] : -1;
		ret = t->ops->vq_start(t, &vq);
	}
	return ret == 0 ? t->ops->commit(t, 2 * NB_PAIRS) : ret;
}

static struct sluice_transport *
open_device(void)
{
	struct sluice_transport *t = NULL;

	assert_int_equal(create(&t), 0);
	assert_int_equal(t->ops->connect(t, &info), 0);
	return t;
}

/* The device interrupts for a pair: that one is woken, others only if they share. */
static void
expect_wake(unsigned int pair, bool is_shared)
{
	unsigned int i;

	fake_assert(fake_pci_interrupt_vq(&dev, 2 * pair), "pair %u has no interrupt", pair);
	for (i = 0; i < NB_PAIRS; i++)
		fake_assert(nb_wakes(i) == (i == pair || is_shared), "pair %u, interrupt of %u", i,
				pair);
}

/* own: pairs with a vector of their own. */
static void
check_running(unsigned int own)
{
	unsigned int i;

	for (i = 0; i < NB_PAIRS; i++) {
		if (!dev.is_intx)
			assert_int_equal(dev.queues[2 * i].msix_vector, i < own ? 1 + i : 0);
		assert_int_equal(dev.queues[2 * i + 1].msix_vector, SLUICE_MSIX_NO_VECTOR);
		expect_wake(i, i >= own);
	}
}

static void
set_table_size(uint16_t nb)
{
	dev.config[FAKE_PCI_CAP_MSIX + 2] = (nb - 1) & 0xff;
	dev.config[FAKE_PCI_CAP_MSIX + 3] = (nb - 1) >> 8;
}

static void
run_once(unsigned int own)
{
	struct sluice_transport *t = open_device();

	assert_int_equal(t->ops->set_queue_irqs(t, fds, NB_PAIRS), 0);
	assert_int_equal(start_queues(t, true), 0);
	check_running(own);
	/* Through a restart, and then without. */
	assert_int_equal(t->ops->reset(t), 0);
	assert_int_equal(start_queues(t, true), 0);
	check_running(own);
	assert_int_equal(t->ops->reset(t), 0);
	assert_int_equal(t->ops->set_queue_irqs(t, NULL, 0), 0);
	assert_int_equal(start_queues(t, false), 0);
	assert_int_equal(dev.queues[0].msix_vector, SLUICE_MSIX_NO_VECTOR);
	fake_pci_interrupt(&dev);
	assert_int_equal(nb_wakes(0), 0);
	t->ops->destroy(t);
	fake_check();
}

static void
test_vectors(void **state)
{
	uint16_t nb;

	(void)state;
	open_fds();
	for (nb = 1; nb <= 7; nb++) {
		fake_context("a table of %u", nb);
		fake_pci_init(&dev);
		set_table_size(nb);
		run_once(RTE_MIN(nb - 1, NB_PAIRS));
	}
	fake_context("a table of 2048");
	fake_pci_init(&dev);
	set_table_size(2048);
	run_once(NB_PAIRS);
	fake_context("the machine has two vectors left");
	fake_pci_init(&dev);
	dev.nb_host_vectors = 2;
	run_once(0);
	fake_context("INTx");
	fake_pci_init(&dev);
	dev.config[FAKE_PCI_CAP_DEVICE + 1] = 0;
	run_once(0);
	assert_true(dev.is_intx);
	close_fds();
}

/* G21: vectors that are not kept. */
static void
test_not_kept(void **state)
{
	struct sluice_transport *t;
	unsigned int i;

	(void)state;
	open_fds();
	fake_context("G21 the first three are kept");
	fake_pci_init(&dev);
	dev.nb_vectors_kept = 3;
	t = open_device();
	assert_int_equal(t->ops->set_queue_irqs(t, fds, NB_PAIRS), 0);
	assert_int_equal(start_queues(t, true), 0);
	for (i = 0; i < NB_PAIRS; i++)
		expect_wake(i, i >= 2);
	t->ops->destroy(t);
	fake_context("G21 none is kept");
	fake_pci_init(&dev);
	dev.nb_vectors_kept = 0;
	t = open_device();
	assert_int_equal(t->ops->set_queue_irqs(t, fds, NB_PAIRS), 0);
	assert_int_equal(start_queues(t, true), -EPROTO);
	/* Polling needs none. */
	assert_int_equal(start_queues(t, false), 0);
	t->ops->destroy(t);
	fake_check();
	close_fds();
}

/* The machine has no interrupt at all: rings can be polled, and that is said. */
static void
test_none(void **state)
{
	struct sluice_transport *t;

	(void)state;
	open_fds();
	fake_context("no interrupt");
	fake_pci_init(&dev);
	dev.has_no_irq = true;
	t = open_device();
	assert_int_equal(t->ops->set_queue_irqs(t, fds, NB_PAIRS), -EIO);
	/* As the caller goes on after a refusal. */
	t->ops->set_queue_irqs(t, NULL, 0);
	assert_int_equal(start_queues(t, false), 0);
	t->ops->destroy(t);
	fake_check();
	close_fds();
}

/* G22: a storm, and interrupts after the end. */
static void
test_storm(void **state)
{
	struct sluice_transport *t;
	unsigned int i;

	(void)state;
	open_fds();
	fake_context("G22");
	fake_pci_init(&dev);
	t = open_device();
	assert_int_equal(t->ops->set_queue_irqs(t, fds, NB_PAIRS), 0);
	fake_pci_interrupt(&dev);
	assert_int_equal(start_queues(t, true), 0);
	for (i = 0; i < 100000; i++)
		assert_true(fake_pci_interrupt_vq(&dev, 0));
	assert_int_equal(nb_wakes(0), 100001);
	assert_int_equal(t->ops->reset(t), 0);
	assert_false(fake_pci_interrupt_vq(&dev, 0));
	fake_pci_interrupt(&dev);
	t->ops->destroy(t);
	assert_false(dev.has_irq);
	fake_check();
	close_fds();
}

int
main(void)
{
	suite_add(test_vectors, NULL, "vectors");
	suite_add(test_not_kept, NULL, "not kept");
	suite_add(test_none, NULL, "none");
	suite_add(test_storm, NULL, "storm");
	return suite_run("pci_irq");
}
