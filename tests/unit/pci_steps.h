/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The steps of a PCI port's start, one after another, on a device of registers.
 */

#ifndef PCI_STEPS_H
#define PCI_STEPS_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_fault.h"
#include "fake_pci.h"

/* Features to ask for: all that the device has, with notifications of 16 bits. */
#define ANY (~SLUICE_BIT(SLUICE_F_NOTIFICATION_DATA))

static struct fake_pci dev;
static struct sluice_device_info info;

/* The clock stands: it is moved by who waits, and not by what else the machine does. */
static inline int
create(struct sluice_transport **t)
{
	struct sluice_pci_conf conf = {
		.name = "0000:00:04.0", .ops = &fake_pci_ops, .ctx = &dev, .nb_pairs_max = 16
	};

	fake_clock_set(0);
	return sluice_pci_create(&conf, t);
}

static inline struct sluice_vq_setup
setup_of(uint16_t vq, uint16_t size)
{
	return (struct sluice_vq_setup){ .vq = vq,
		.size = size,
		.kick_fd = -1,
		.call_fd = -1,
		.desc_da.v = 0x1122334450000000ULL + vq,
		.driver_da.v = 0x2122334460000000ULL + vq,
		.device_da.v = 0x3122334470000000ULL + vq };
}

/* Where a device can be found out. */
enum step { CREATE, CONNECT, BEGIN, VQ_START, COMMIT, NOWHERE };

static inline int
run_until_refused(struct sluice_transport *t, sluice_features features, enum step *step)
{
	struct sluice_vq_setup vq;
	unsigned int i;
	int ret;

	*step = CONNECT;
	sluice_transport_begin(t, 5000);
	ret = t->ops->connect(t, &info);
	if (ret != 0)
		return ret;
	*step = BEGIN;
	ret = t->ops->begin(t, features & info.features, 1500);
	if (ret != 0)
		return ret;
	*step = VQ_START;
	for (i = 0; i < 2; i++) {
		vq = setup_of(i, RTE_MIN(64, t->ops->vq_size_max(t, i)));
		ret = t->ops->vq_start(t, &vq);
		if (ret != 0)
			return ret;
	}
	ret = t->ops->commit(t, 2);
	*step = ret != 0 ? COMMIT : NOWHERE;
	return ret;
}

/* A transport of which all steps went well. */
static inline struct sluice_transport *
create_running(void)
{
	struct sluice_transport *t = NULL;
	enum step step;

	assert_int_equal(create(&t), 0);
	assert_int_equal(run_until_refused(t, ANY, &step), 0);
	return t;
}

#endif /* PCI_STEPS_H */
