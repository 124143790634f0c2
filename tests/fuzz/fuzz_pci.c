/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The PCI transport on a device that the input makes: its capabilities, BARs and registers. One of
 * two kinds. The first is tests/fake's, which checks that the driver keeps to the rules, with any
 * numbers in its registers. The second has any capabilities, and BARs that are memory; what is read
 * there may be another value with each look, and AddressSanitizer sees what is not within a BAR.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_clock.h"
#include "fake_fault.h"
#include "fake_pci.h"
#include "fuzz.h"

#define STEPS_MAX 64
/* The driver looks every tenth of a millisecond. */
#define DEADLINE_MS 20
#define VQS_MAX 9

struct device {
	struct fake_pci fake; /* the first kind; of the second one only config and bar_len */
	struct fuzz *f;
	uint8_t *bars[6];
	bool is_restless; /* what is read may be anything */
	bool is_memory;
	sluice_features features; /* negotiated */
	uint32_t started;         /* virtqueues, a bit each */
};

static int
read_config(void *ctx, void *buf, size_t len, uint32_t offset)
{
	return fake_pci_ops.read_config(&((struct device *)ctx)->fake, buf, len, offset);
}

static uint64_t
bar_len(void *ctx, uint8_t bar)
{
	return fake_pci_ops.bar_len(&((struct device *)ctx)->fake, bar);
}

static uint8_t *
place(struct device *d, uint8_t bar, uint64_t offset, uint8_t width)
{
	fake_assert(bar < RTE_DIM(d->bars) && offset % width == 0 &&
					offset + width <= d->fake.bar_len[bar],
			"%u bytes at 0x%lx of BAR %u", width, (unsigned long)offset, bar);
	return d->bars[bar] + offset;
}

static uint32_t
read_bar(void *ctx, uint8_t bar, uint64_t offset, uint8_t width)
{
	struct device *d = ctx;
	uint8_t *at = place(d, bar, offset, width);
	uint32_t value = 0;

	if (d->is_restless && d->f->left != 0 && fuzz_u8(d->f) % 8 == 1)
		fuzz_take(d->f, at, width);
	memcpy(&value, at, width);
	return value;
}

static void
write_bar(void *ctx, uint8_t bar, uint64_t offset, uint8_t width, uint32_t value)
{
	memcpy(place(ctx, bar, offset, width), &value, width);
}

static volatile void *
address(void *ctx, uint8_t bar, uint64_t offset)
{
	return place(ctx, bar, offset, 2);
}

static int
file(void *ctx, uint8_t bar, uint64_t *offset)
{
	place(ctx, bar, 0, 1);
	*offset = (uint64_t)bar << 40;
	return STDERR_FILENO;
}

static int
irq_start(void *ctx, const struct sluice_pci_irqs *irqs)
{
	if (irqs->isr != NULL)
		place(ctx, irqs->isr->bar, irqs->isr->offset, 1);
	fake_assert(irqs->nb_queue_vectors <= irqs->nb_queue_fds, "vectors for nobody");
	return 0;
}

static void
irq_stop(void *ctx)
{
	RTE_SET_USED(ctx);
}

static void
set_running(void *ctx, bool is_running)
{
	((struct device *)ctx)->fake.is_running = is_running;
}

static void
close_device(void *ctx)
{
	((struct device *)ctx)->fake.nb_closes++;
}

static const struct sluice_pci_bar_ops memory_ops = {
	.read_config = read_config,
	.bar_len = bar_len,
	.read = read_bar,
	.write = write_bar,
	.address = address,
	.file = file,
	.irq_start = irq_start,
	.irq_stop = irq_stop,
	.set_running = set_running,
	.close = close_device,
};

/* Bytes of the configuration, from one that is good on: any, or a field of a capability. */
static void
change_config(struct fake_pci *p, struct fuzz *f)
{
	static const uint8_t caps[] = { FAKE_PCI_CAP_COMMON, FAKE_PCI_CAP_NOTIFY, FAKE_PCI_CAP_ISR,
		FAKE_PCI_CAP_DEVICE, FAKE_PCI_CAP_MSIX, FAKE_PCI_CAP_SPARE };
	static const uint8_t fields[] = { 0, 1, 2, 3, 4, 8, 12, 16 };
	uint8_t where = fuzz_u8(f), at;
	unsigned int nb;

	if (where & 0x80) {
		at = where & 0x40 ? fuzz_u8(f) : 0x34;
		fuzz_take(f, &p->config[at], 1);
		return;
	}
	at = caps[where % RTE_DIM(caps)] + fields[where >> 3 & 7];
	nb = (where >> 3 & 7) < 5 ? 1 : 1 + fuzz_below(f, 4);
	fuzz_take(f, &p->config[at], nb);
}

static void
make_memory(struct device *d, struct fuzz *f)
{
	static const uint16_t lens[] = { 0, 0, 0x1000, FAKE_PCI_BAR_LEN, 0x38, 0x2000, 0x1001, 2 };
	struct fake_pci *p = &d->fake;
	uint8_t choice = fuzz_u8(f);
	unsigned int i, nb;

	if (choice & 1)
		for (i = 0; i < RTE_DIM(d->bars); i++)
			p->bar_len[i] = lens[fuzz_u8(f) % RTE_DIM(lens)];
	p->is_express = choice & 2;
	d->is_restless = choice & 4;
	for (nb = choice >> 4; nb != 0; nb--)
		change_config(p, f);
	for (i = 0; i < RTE_DIM(d->bars); i++) {
		d->bars[i] = malloc(RTE_MAX(p->bar_len[i], 1U));
		/* Bits that all features have, more or less. */
		memset(d->bars[i], 0, RTE_MAX(p->bar_len[i], 1U));
	}
	if (p->bar_len[FAKE_PCI_BAR] >= FAKE_PCI_DEVICE + sizeof(p->net)) {
		uint8_t *common = d->bars[FAKE_PCI_BAR] + FAKE_PCI_COMMON;

		common[0x04] = 0x03; /* MAC, and in the second word VERSION_1 and ACCESS_PLATFORM */
		common[0x12] = p->num_queues;
		common[0x19] = 1;
		memcpy(d->bars[FAKE_PCI_BAR] + FAKE_PCI_DEVICE, p->net, sizeof(p->net));
		/* All words of features are one here. */
		memset(common + 0x04, choice & 8 ? 0xff : 0x3f, 4);
		fuzz_take(f, common + 0x18, 2);
	}
}

/* The last three are for devices that do not run: with them the fake would blame the driver. */
static void
change_registers(struct fake_pci *p, struct fuzz *f, bool is_running)
{
	static const uint32_t nbs[] = { 0, 1, 3, UINT32_MAX };
	uint8_t at = fuzz_u8(f);

	switch (fuzz_u8(f) % (is_running ? 13 : 16)) {
	case 0:
		p->features ^= (sluice_features)1 << at % 128;
		break;
	case 1:
		p->file = at & 1 ? -ENODEV : 0;
		break;
	case 7:
		p->is_gone = at % 8 == 7;
		break;
	case 2:
		p->queues[at % FAKE_PCI_QUEUES_MAX].size_max = fuzz_u16(f);
		break;
	case 3:
		p->queues[at % FAKE_PCI_QUEUES_MAX].notify_off = fuzz_u16(f);
		break;
	case 4:
		fuzz_take(f, &p->net[at % (sizeof(p->net) - 3)], 1 + (at >> 6));
		break;
	case 5:
		p->reset_reads = nbs[at % 4];
		break;
	case 6:
		p->vq_reset_reads = nbs[at % 4];
		p->keeps_enabled = at & 4;
		break;
	case 8:
		p->is_restless = at & 1;
		p->nb_restless = at >> 1;
		break;
	case 9:
		p->shrinks = at & 1;
		p->keeps_size = at & 2;
		break;
	case 10:
		p->nb_vectors_kept = at % 12;
		break;
	case 11:
		p->status_at_start = at & (SLUICE_STATUS_NEEDS_RESET | SLUICE_STATUS_FAILED);
		break;
	case 12:
		p->has_no_irq = at & 1;
		p->nb_host_vectors = at >> 1;
		break;
	case 13:
		p->num_queues = at & 0x80 ? fuzz_u16(f) : at % 20;
		break;
	case 14:
		p->refuses_features = at & 1;
		p->forgets_features = at & 2;
		break;
	default:
		p->insists_on = (sluice_features)1 << at % 128;
		break;
	}
}

static int
start_queue(struct sluice_transport *t, struct device *d, uint16_t i)
{
	struct sluice_notify notify;
	struct sluice_vq_setup vq = { .vq = i,
		.kick_fd = -1,
		.call_fd = -1,
		.desc_da.v = 0x1122334450000000ULL + i,
		.driver_da.v = 0x2122334460000000ULL + i,
		.device_da.v = 0x3122334470000000ULL + i };
	int ret;

	vq.size = RTE_MIN(64, t->ops->vq_size_max(t, i));
	if (vq.size == 0)
		return -ENOENT;
	ret = t->ops->vq_start(t, &vq);
	if (ret != 0)
		return ret;
	d->started |= 1U << i;
	notify = t->ops->notify(t, i);
	if (notify.has_data)
		*(volatile uint32_t *)notify.addr = i;
	else
		*(volatile uint16_t *)notify.addr = i;
	return 0;
}

static int
start(struct sluice_transport *t, struct device *d, const int *fds)
{
	struct fuzz *f = d->f;
	struct sluice_device_info info;
	uint16_t nb_fds = fuzz_below(f, 5), nb, i;
	sluice_features asked = ~(sluice_features)0;
	int ret = t->ops->connect(t, &info);

	if (ret != 0)
		return ret;
	fake_assert(info.nb_pairs_max >= 1 && info.nb_pairs_max <= INT16_MAX, "%u pairs",
			info.nb_pairs_max);
	fake_assert(!info.has_mac || !(info.mac[0] & 1), "a multicast address");
	fake_assert(info.mtu == 0 || info.mtu >= 68, "an MTU of %u", info.mtu);
	if (fuzz_u8(f) & 1)
		asked ^= (sluice_features)1 << fuzz_below(f, 128);
	t->ops->set_queue_irqs(t, fds, nb_fds);
	/* Without the one it would be another kind of device. */
	d->features = info.features & (asked | SLUICE_BIT(SLUICE_F_VERSION_1));
	ret = t->ops->begin(t, d->features, 1500);
	nb = 2 * RTE_MIN(info.nb_pairs_max, 1 + fuzz_below(f, 4));
	for (i = 0; i < nb && ret == 0; i++)
		ret = start_queue(t, d, i);
	return ret == 0 ? t->ops->commit(t, nb) : ret;
}

static void
look(struct sluice_transport *t, struct fuzz *f)
{
	struct pollfd pfds[SLUICE_TRANSPORT_FDS];
	struct sluice_device_state state;
	struct sluice_notify_pages pages;
	unsigned int nb = t->ops->poll_fds(t, true, pfds);
	uint32_t regs[64];
	char text[128];

	fake_assert(nb <= SLUICE_TRANSPORT_FDS, "%u descriptors", nb);
	poll(pfds, nb, 0);
	t->ops->polled(t, pfds, nb);
	t->ops->state(t, &state);
	t->ops->describe(t, text, sizeof(text));
	/* Those of all queues take long. */
	if (fuzz_u8(f) % 16 == 1)
		t->ops->regs(t, regs, RTE_DIM(regs));
	t->ops->check(t);
	t->ops->notify_pages(t, 2, &pages);
}

static int
reset_queue(struct sluice_transport *t, struct device *d, uint16_t vq)
{
	int ret;

	if ((d->started >> vq & 1) == 0 || !(d->features & SLUICE_BIT(SLUICE_F_RING_RESET)))
		return 0;
	ret = t->ops->vq_reset(t, vq);
	d->started &= ~(1U << vq);
	return ret == 0 ? start_queue(t, d, vq) : ret;
}

/* While it runs. Not 0: the port would let go of it. */
static int
do_step(struct sluice_transport *t, struct device *d, struct fuzz *f)
{
	uint16_t vq = fuzz_below(f, VQS_MAX);

	switch (fuzz_u8(f) % 8) {
	case 0:
	case 1:
		look(t, f);
		return 0;
	case 2:
		if (!d->is_memory)
			fake_pci_interrupt(&d->fake);
		return 0;
	case 3:
		if (!d->is_memory)
			fake_pci_interrupt_vq(&d->fake, vq);
		return 0;
	case 4:
	case 5:
		return reset_queue(t, d, vq);
	case 6:
		t->ops->cut(t);
		return 0;
	default:
		if (!d->is_memory)
			change_registers(&d->fake, f, true);
		return 0;
	}
}

static void
run(struct sluice_transport *t, struct device *d, const int *fds)
{
	unsigned int i, nb_left = STEPS_MAX;
	int ret;

	for (i = 0; i < 3; i++) {
		d->started = 0;
		sluice_transport_begin(t, DEADLINE_MS);
		ret = start(t, d, fds);
		while (ret == 0 && d->f->left != 0 && nb_left-- != 0)
			ret = do_step(t, d, d->f);
		sluice_transport_begin(t, DEADLINE_MS);
		t->ops->reset(t);
		fake_assert(t->ops->disconnect(t) == -1, "a descriptor to wait for");
		fake_check();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int fds[4] = { -1 };
	static struct device d;
	struct fuzz f = { data, len };
	unsigned int nb, i, nb_fds;
	struct sluice_pci_conf conf = { .name = "0000:00:04.0", .nb_pairs_max = 16 };
	struct sluice_transport *t;
	int ret;

	for (i = 0; i < RTE_DIM(fds) && fds[3] <= 0; i++)
		fds[i] = eventfd(0, EFD_NONBLOCK);
	nb_fds = fake_count_fds();
	fake_errors_clear();
	fake_clock_set(0);
	memset(&d, 0, sizeof(d));
	d.f = &f;
	d.is_memory = fuzz_u8(&f) & 1;
	fake_pci_init(&d.fake);
	conf.ops = d.is_memory ? &memory_ops : &fake_pci_ops;
	conf.ctx = &d;
	if (d.is_memory)
		make_memory(&d, &f);
	else
		for (nb = fuzz_below(&f, 8); nb != 0; nb--)
			change_registers(&d.fake, &f, false);
	ret = sluice_pci_create(&conf, &t);
	if (ret == 0) {
		run(t, &d, fds);
		t->ops->destroy(t);
	}
	fake_assert(d.fake.nb_closes == (ret == 0), "closed %u times", d.fake.nb_closes);
	fake_assert(!d.fake.has_irq, "interrupts stay on");
	fake_assert(fake_count_fds() == nb_fds, "descriptors are left");
	fake_check();
	for (i = 0; i < RTE_DIM(d.bars); i++)
		free(d.bars[i]);
	return 0;
}
