/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Each way in which a PCI device may be wrong: it is noticed at the step where it can be, and
 * nothing stays open. G1 to G22 are the numbers of the catalogue of hostile devices.
 */

#include "pci_steps.h"

/* A place in the device, and what is written there before it is used. */
struct poke {
	size_t at;
	size_t len;
	sluice_features value; /* as long as the longest field */
};

struct lie {
	const char *name;
	enum step step;
	int err;
	struct poke pokes[4];
};

#define SIZE_OF(field) sizeof(((struct fake_pci *)0)->field)
#define SET(field, v) \
	{ \
		offsetof(struct fake_pci, field), SIZE_OF(field), v \
	}
#define CFG(at, bytes, v) \
	{ \
		offsetof(struct fake_pci, config) + (at), bytes, v \
	}
#define NET(at, bytes, v) \
	{ \
		offsetof(struct fake_pci, net) + (at), bytes, v \
	}
#define WITHOUT(bit) SET(features, FAKE_PCI_FEATURES & ~SLUICE_BIT(bit))

#define COMMON FAKE_PCI_CAP_COMMON
#define NOTIFY FAKE_PCI_CAP_NOTIFY
#define ISR FAKE_PCI_CAP_ISR
#define DEVICE FAKE_PCI_CAP_DEVICE
#define MSIX FAKE_PCI_CAP_MSIX
#define SPARE FAKE_PCI_CAP_SPARE
/* Within a capability. */
#define NEXT 1
#define LEN 2
#define BAR 4
#define OFFSET 8
#define LENGTH 12
#define MULTIPLIER 16

static const struct lie lies[] = {
	{ "none", NOWHERE, 0, { { 0 } } },
	{ "no capabilities: legacy", CREATE, -ENOTSUP, { CFG(0x06, 1, 0) } },
	{ "G1 loop of all", CREATE, -EINVAL, { CFG(MSIX + NEXT, 1, COMMON) } },
	{ "G1 loop of one", CREATE, -EINVAL, { CFG(COMMON + NEXT, 1, COMMON) } },
	{ "G1 loop of others", CREATE, -EINVAL,
			{ CFG(0x34, 1, SPARE), CFG(SPARE, 2, 1 | SPARE << 8) } },
	{ "G2 capability at the end", CREATE, -EINVAL,
			{ CFG(0x34, 1, 0xfc), CFG(0xfc, 4, 0x01100009) } },
	{ "G2 capability in the header", CREATE, -EINVAL, { CFG(0x34, 1, 0x10) } },
	{ "G3 short", CREATE, -EINVAL, { CFG(COMMON + LEN, 1, 15) } },
	{ "G3 short for a notification", CREATE, -EINVAL, { CFG(NOTIFY + LEN, 1, 16) } },
	{ "G3 zero", CREATE, -EINVAL, { CFG(ISR + LEN, 1, 0) } },
	{ "G3 long", CREATE, -EINVAL, { CFG(DEVICE + LEN, 1, 255) } },
	{ "G4 reserved BAR", CREATE, -ENOTSUP, { CFG(COMMON + BAR, 1, 6) } },
	{ "G5 I/O BAR", CREATE, -ENOTSUP, { CFG(NOTIFY + BAR, 1, 2) } },
	{ "G6 offset wraps", CREATE, -EINVAL, { CFG(COMMON + OFFSET, 4, 0xfffffff0) } },
	{ "G6 length wraps", CREATE, -EINVAL, { CFG(DEVICE + LENGTH, 4, 0xffffffff) } },
	{ "G7 beyond the BAR", CREATE, -EINVAL,
			{ CFG(NOTIFY + LENGTH, 4, FAKE_PCI_PART_LEN + 1) } },
	{ "G8 empty BAR", CREATE, -ENOTSUP, { SET(bar_len[FAKE_PCI_BAR], 0) } },
	{ "short common structure", CREATE, -EINVAL, { CFG(COMMON + LENGTH, 4, 0x37) } },
	{ "short device structure", CREATE, -EINVAL, { CFG(DEVICE + LENGTH, 4, 8) } },
	{ "empty structure", CREATE, -EINVAL, { CFG(ISR + LENGTH, 4, 0) } },
	{ "not aligned", CREATE, -EINVAL, { CFG(COMMON + OFFSET, 8, 2 | 0x40ULL << 32) } },
	{ "G9 overlap", CREATE, -EINVAL, { CFG(DEVICE + OFFSET, 4, FAKE_PCI_NOTIFY - 4) } },
	{ "G9 overlap with the MSI-X table", CREATE, -EINVAL,
			{ CFG(MSIX + 4, 4, FAKE_PCI_BAR | FAKE_PCI_ISR) } },
	{ "unreadable configuration", CREATE, -EIO, { SET(config_error, -EIO) } },
	{ "G19 gone", CREATE, -ENODEV, { SET(is_gone, 1) } },
	{ "G16 reset never acknowledged", CREATE, -ETIMEDOUT,
			{ SET(status, 1), SET(reset_reads, UINT32_MAX) } },
	{ "no VERSION_1", CONNECT, -ENOTSUP, { WITHOUT(SLUICE_F_VERSION_1) } },
	{ "G20 no ACCESS_PLATFORM", CONNECT, -EPERM, { WITHOUT(SLUICE_F_ACCESS_PLATFORM) } },
	{ "G15 FEATURES_OK not kept", CONNECT, -EPROTO, { SET(refuses_features, 1) } },
	{ "G15 features taken back", BEGIN, -EPROTO, { SET(forgets_features, 1) } },
	{ "G17 generation never stable", CONNECT, -EPROTO, { SET(is_restless, 1) } },
	{ "G12 no queues", CONNECT, -EPROTO, { SET(num_queues, 0) } },
	{ "G12 too few queues", CONNECT, -EPROTO, { SET(num_queues, 8) } },
	{ "G18 no pairs", CONNECT, -EPROTO, { NET(8, 2, 0) } },
	{ "G18 65535 pairs", CONNECT, -EPROTO, { NET(8, 2, 65535), SET(num_queues, 65535) } },
	{ "G18 more pairs than queues", CONNECT, -EPROTO, { NET(8, 2, 5) } },
	{ "multicast MAC", CONNECT, -EPROTO, { NET(0, 1, 1) } },
	{ "zero MAC", CONNECT, -EPROTO, { NET(0, 6, 0) } },
	{ "MTU 67", CONNECT, -EPROTO, { NET(10, 2, 67) } },
	{ "G13 queue size 0", CONNECT, -EPROTO, { SET(queues[3].size_max, 0) } },
	{ "G13 queue size 65535", CONNECT, -EPROTO, { SET(queues[3].size_max, 65535) } },
	{ "G14 queue size changes", VQ_START, -EPROTO, { SET(shrinks, 1) } },
	{ "queue size not taken", VQ_START, -EPROTO, { SET(keeps_size, 1) } },
	{ "G11 notification at the end", VQ_START, -EPROTO,
			{ SET(queues[1].notify_off, FAKE_PCI_PART_LEN / 4) } },
	{ "G11 notification far out", VQ_START, -EPROTO, { SET(queues[1].notify_off, 65535) } },
	{ "G10 multiplier 0xffffffff", VQ_START, -EPROTO,
			{ CFG(NOTIFY + MULTIPLIER, 4, 0xffffffff) } },
	{ "odd multiplier", VQ_START, -EPROTO, { CFG(NOTIFY + MULTIPLIER, 4, 3) } },
	{ "NEEDS_RESET at once", COMMIT, -EPROTO,
			{ SET(status_at_start, SLUICE_STATUS_NEEDS_RESET) } },
	{ "FAILED at once", COMMIT, -EPROTO, { SET(status_at_start, SLUICE_STATUS_FAILED) } },
};

static void
tell(const struct lie *l)
{
	unsigned int i;

	fake_context("%s", l->name);
	fake_pci_init(&dev);
	for (i = 0; i < RTE_DIM(l->pokes); i++)
		memcpy((uint8_t *)&dev + l->pokes[i].at, &l->pokes[i].value, l->pokes[i].len);
}

static void
test_lies(void **state)
{
	static const char *const names[] = { "create", "connect", "begin", "vq_start", "commit",
		"nowhere" };
	struct sluice_transport *t = NULL;
	unsigned int i, nb_fds = fake_count_fds();
	enum step step;
	int ret;

	(void)state;
	for (i = 0; i < RTE_DIM(lies); i++) {
		const struct lie *l = &lies[i];

		tell(l);
		step = CREATE;
		ret = create(&t);
		if (ret == 0) {
			ret = run_until_refused(t, ANY, &step);
			t->ops->destroy(t);
		}
		fake_assert(step == l->step && ret == l->err,
				"refused at %s with %d, not at %s with %d", names[step], ret,
				names[l->step], l->err);
		/* Until there is a transport the device is the caller's. */
		fake_assert(dev.nb_closes == (l->step != CREATE), "closed %u times", dev.nb_closes);
		fake_assert(!dev.has_irq, "interrupts stay on");
		fake_assert(fake_count_fds() == nb_fds, "a descriptor stays open");
	}
}

int
main(void)
{
	suite_add(test_lies, NULL, "lies");
	return suite_run("pci_lies");
}
