/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * How a PCI device is notified: where, with what, and what another process needs for it. And what a
 * device with more than 64 features is told.
 */

#include <unistd.h>

#include "fake_log.h"
#include "pci_steps.h"

#define CONFIG32(at, value) memcpy(&dev.config[at], &(uint32_t){ value }, 4)

/* Where and what a notification writes. */
static void
test_notify(void **state)
{
	struct sluice_transport *t = NULL;
	struct sluice_ring r = {
		.avail_idx = 0x8123, .head = 7, .avail_flags = SLUICE_DESC_F_AVAIL
	};
	struct sluice_notify n;
	enum step step;

	(void)state;
	fake_context("16 bits");
	fake_pci_init(&dev);
	t = create_running();
	n = t->ops->notify(t, 1);
	assert_ptr_equal(n.addr, &dev.bell[1]);
	assert_false(n.has_data);
	r.doorbell = (struct sluice_doorbell){ .dv_reg = n.addr, .vq = 1, .fd = -1 };
	dev.bell[1] = 0xffffffff;
	sluice_doorbell_ring(&r);
	assert_int_equal(dev.bell[1], 0xffff0001);
	assert_int_equal(r.nb_kicks, 1);
	t->ops->destroy(t);

	fake_context("NOTIFICATION_DATA");
	fake_pci_init(&dev);
	assert_int_equal(create(&t), 0);
	assert_int_equal(run_until_refused(t, UINT64_MAX, &step), 0);
	n = t->ops->notify(t, 1);
	assert_true(n.has_data);
	r.doorbell = (struct sluice_doorbell){
		.dv_reg = n.addr, .vq = 1, .has_data = true, .fd = -1
	};
	sluice_doorbell_ring(&r);
	assert_int_equal(dev.bell[1], 0x81230001);
	r.doorbell.is_packed = true;
	sluice_doorbell_ring(&r);
	assert_int_equal(dev.bell[1], 0x80070001);
	r.avail_flags = SLUICE_DESC_F_USED;
	sluice_doorbell_ring(&r);
	assert_int_equal(dev.bell[1], 0x00070001);
	t->ops->destroy(t);

	fake_context("multiplier 0: one place for all");
	fake_pci_init(&dev);
	CONFIG32(FAKE_PCI_CAP_NOTIFY + 16, 0);
	CONFIG32(FAKE_PCI_CAP_NOTIFY + 12, 2);
	t = create_running();
	assert_ptr_equal(t->ops->notify(t, 0).addr, &dev.bell[0]);
	assert_ptr_equal(t->ops->notify(t, 1).addr, &dev.bell[0]);
	t->ops->destroy(t);
	fake_context("NOTIFICATION_DATA needs four bytes");
	fake_pci_init(&dev);
	CONFIG32(FAKE_PCI_CAP_NOTIFY + 16, 0);
	CONFIG32(FAKE_PCI_CAP_NOTIFY + 12, 2);
	assert_int_equal(create(&t), 0);
	assert_int_equal(run_until_refused(t, UINT64_MAX, &step), -EPROTO);
	assert_int_equal(step, VQ_START);
	t->ops->destroy(t);
	fake_check();
}

/* What another process maps to notify the device: whole pages, none but those that it takes. */
static void
test_notify_pages(void **state)
{
	struct sluice_transport *t = NULL;
	struct sluice_notify_pages n;
	uint64_t page = getpagesize();

	(void)state;
	fake_context("registers of one page");
	fake_pci_init(&dev);
	dev.file = 77;
	t = create_running();
	assert_int_equal(t->ops->notify_pages(t, 2, &n), 0);
	assert_int_equal(n.fd, 77);
	assert_int_equal(n.len, page);
	assert_int_equal(n.offset, ((uint64_t)FAKE_PCI_BAR << 40) + FAKE_PCI_NOTIFY);
	assert_ptr_equal(n.va, (volatile char *)t->ops->notify(t, 0).addr);
	dev.file = -ENOTSUP;
	assert_int_equal(t->ops->notify_pages(t, 2, &n), -ENOTSUP);
	t->ops->destroy(t);

	fake_context("a page for each");
	fake_pci_init(&dev);
	dev.file = 77;
	dev.bar_len[FAKE_PCI_BAR] = FAKE_PCI_NOTIFY + 16 * page;
	CONFIG32(FAKE_PCI_CAP_NOTIFY + 16, page);
	CONFIG32(FAKE_PCI_CAP_NOTIFY + 12, 16 * page);
	dev.queues[0].notify_off = 5;
	dev.queues[1].notify_off = 3;
	t = create_running();
	assert_int_equal(t->ops->notify_pages(t, 2, &n), 0);
	assert_int_equal(n.len, 3 * page);
	assert_int_equal(n.offset, ((uint64_t)FAKE_PCI_BAR << 40) + FAKE_PCI_NOTIFY + 3 * page);
	assert_ptr_equal((char *)n.va + 2 * page, (volatile char *)t->ops->notify(t, 0).addr);
	assert_ptr_equal(n.va, (volatile char *)t->ops->notify(t, 1).addr);
	t->ops->destroy(t);
	fake_check();
}

/* More than 64 features, of which the driver takes what it is told to. */
static void
test_many_features(void **state)
{
	const sluice_features tunnels = SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO) |
			SLUICE_BIT(SLUICE_NET_F_HOST_UDP_TUNNEL_GSO_CSUM);
	struct sluice_transport *t = NULL;
	enum step step;

	(void)state;
	fake_context("128 features");
	fake_pci_init(&dev);
	dev.features |= tunnels | SLUICE_BIT(127) | SLUICE_BIT(65);
	assert_int_equal(create(&t), 0);
	assert_int_equal(run_until_refused(t, ANY | tunnels, &step), 0);
	assert_true(info.features == dev.features);
	assert_true(dev.driver_features == ((dev.features & ANY) | tunnels));
	t->ops->destroy(t);
	fake_pci_init(&dev);
	dev.features |= tunnels;
	dev.insists_on = tunnels;
	fake_log_begin();
	assert_int_equal(create(&t), 0);
	assert_int_equal(run_until_refused(t, ANY, &step), -EPROTO);
	fake_assert(strstr(fake_log_end(), " of the 0x18") != NULL, "which are not said");
	t->ops->destroy(t);
	fake_check();
}

int
main(void)
{
	suite_add(test_notify, NULL, "notify");
	suite_add(test_notify_pages, NULL, "notify pages");
	suite_add(test_many_features, NULL, "many features");
	return suite_run("pci notify");
}
