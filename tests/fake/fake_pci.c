/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fake_error.h"
#include "fake_pci.h"
#include "fake_pci_vq.h"

static void
put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

void
fake_pci_cap(struct fake_pci *f, uint8_t at, uint8_t next, uint8_t type, uint8_t bar,
		uint32_t offset, uint32_t length)
{
	uint8_t *cap = &f->config[at];

	cap[0] = 0x09;
	cap[1] = next;
	cap[2] = type == 2 ? 20 : 16;
	cap[3] = type;
	cap[4] = bar;
	put32(cap + 8, offset);
	put32(cap + 12, length);
}

void
fake_pci_init(struct fake_pci *f)
{
	static const uint8_t mac[6] = { 0x02, 0x00, 0x00, 0x11, 0x22, 0x33 };
	unsigned int i;

	memset(f, 0, sizeof(*f));
	put32(f->config, SLUICE_PCI_VENDOR | SLUICE_PCI_NET << 16);
	f->config[0x06] = 0x10; /* a list of capabilities */
	f->config[0x34] = FAKE_PCI_CAP_COMMON;
	fake_pci_cap(f, FAKE_PCI_CAP_COMMON, FAKE_PCI_CAP_NOTIFY, 1, FAKE_PCI_BAR, FAKE_PCI_COMMON,
			FAKE_PCI_PART_LEN);
	fake_pci_cap(f, FAKE_PCI_CAP_NOTIFY, FAKE_PCI_CAP_ISR, 2, FAKE_PCI_BAR, FAKE_PCI_NOTIFY,
			FAKE_PCI_PART_LEN);
	put32(&f->config[FAKE_PCI_CAP_NOTIFY + 16], 4);
	fake_pci_cap(f, FAKE_PCI_CAP_ISR, FAKE_PCI_CAP_DEVICE, 3, FAKE_PCI_BAR, FAKE_PCI_ISR,
			FAKE_PCI_PART_LEN);
	fake_pci_cap(f, FAKE_PCI_CAP_DEVICE, FAKE_PCI_CAP_MSIX, 4, FAKE_PCI_BAR, FAKE_PCI_DEVICE,
			FAKE_PCI_PART_LEN);
	/* Ten vectors, their table at the start of a BAR of its own. */
	put32(&f->config[FAKE_PCI_CAP_MSIX], 0x11 | 9U << 16);
	put32(&f->config[FAKE_PCI_CAP_MSIX + 4], FAKE_PCI_MSIX_BAR);
	f->bar_len[FAKE_PCI_BAR] = FAKE_PCI_BAR_LEN;
	f->bar_len[FAKE_PCI_MSIX_BAR] = 0x1000;
	f->features = FAKE_PCI_FEATURES;
	f->num_queues = 9;
	for (i = 0; i < f->num_queues; i++) {
		f->queues[i].size_max = i == 8 ? 64 : 256;
		f->queues[i].notify_off = i;
	}
	memcpy(f->net, mac, sizeof(mac));
	f->net[6] = SLUICE_NET_S_LINK_UP;
	f->net[8] = 4;     /* queue pairs */
	f->net[10] = 0xdc; /* MTU 1500 */
	f->net[11] = 0x05;
	put32(&f->net[12], 10000); /* speed */
	f->net[16] = 1;            /* full duplex */
	f->nb_vectors_kept = UINT16_MAX;
	f->nb_host_vectors = UINT16_MAX;
}

static void
signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		fake_error("the event descriptor takes no interrupt");
}

void
fake_pci_interrupt(struct fake_pci *f)
{
	uint16_t i;

	if (!f->has_irq)
		return;
	signal_fd(f->irqs.event_fd);
	for (i = 0; i < f->irqs.nb_queue_fds; i++)
		signal_fd(f->irqs.queue_fds[i]);
}

bool
fake_pci_interrupt_vq(struct fake_pci *f, uint16_t vq)
{
	const struct fake_pci_queue *q = &f->queues[vq];

	if (!f->has_irq || !(f->status & SLUICE_STATUS_DRIVER_OK) || !q->is_enabled)
		return false;
	if (f->is_intx || q->msix_vector == 0)
		fake_pci_interrupt(f);
	else if (q->msix_vector > f->irqs.nb_queue_vectors)
		return false;
	else
		signal_fd(f->irqs.queue_fds[q->msix_vector - 1]);
	return true;
}

static void
reset(struct fake_pci *f)
{
	f->nb_resets++;
	f->status = 0;
	f->driver_features = 0;
	f->config_vector = SLUICE_MSIX_NO_VECTOR;
	fake_pci_vq_reset_all(f);
}

/* A slow reset shows the old status for a while. */
static uint8_t
read_status(struct fake_pci *f)
{
	if (f->nb_pending != 0 && --f->nb_pending == 0)
		reset(f);
	return f->status;
}

static void
expect_width(const char *what, uint64_t at, uint8_t width, uint8_t wanted)
{
	if (width != wanted)
		fake_error("%s at 0x%lx: %u bytes, %u are right (4.1.3.1)", what, (unsigned long)at,
				width, wanted);
}

static uint8_t
width_of(uint64_t at)
{
	if (at == 0x14 || at == 0x15)
		return 1;
	return at < 0x10 || (at >= 0x20 && at < 0x38) ? 4 : 2;
}

static uint32_t
common_read(struct fake_pci *f, uint64_t at, uint8_t width)
{
	expect_width("common read", at, width, width_of(at));
	switch (at) {
	case 0x00:
		return f->feature_select[0];
	case 0x08:
		return f->feature_select[1];
	case 0x0c:
		return f->feature_select[1] > 3 ? 0 :
						  f->driver_features >> (32 * f->feature_select[1]);
	case 0x16:
		return f->queue_select;
	case 0x04:
		if (f->forgets_features && f->nb_resets > 2)
			return 0;
		return f->feature_select[0] > 3 ? 0 : f->features >> (32 * f->feature_select[0]);
	case 0x10:
		return f->config_vector;
	case 0x12:
		return f->num_queues;
	case 0x14:
		return read_status(f);
	case 0x15:
		if (f->is_restless || f->nb_restless != 0)
			f->generation++;
		f->nb_restless -= f->nb_restless != 0;
		return f->generation;
	case 0x18:
	case 0x1a:
	case 0x1c:
	case 0x1e:
	case 0x20 ... 0x34:
	case 0x3a:
		return fake_pci_vq_read(f, at);
	default:
		fake_error("common read at 0x%lx", (unsigned long)at);
		return 0;
	}
}

static void
write_status(struct fake_pci *f, uint8_t value)
{
	if (value == 0) {
		f->nb_pending = f->reset_reads == UINT32_MAX || f->status == 0 ? 0 : f->reset_reads;
		if (f->reset_reads == 0 || f->status == 0)
			reset(f);
		return;
	}
	if (f->status & ~value)
		fake_error("status bits 0x%02x cleared (2.1.1)", f->status & ~value);
	if ((value & SLUICE_STATUS_DRIVER) && !(value & SLUICE_STATUS_ACKNOWLEDGE))
		fake_error("DRIVER without ACKNOWLEDGE (3.1.1)");
	if ((value & SLUICE_STATUS_DRIVER_OK) && !(f->status & SLUICE_STATUS_FEATURES_OK))
		fake_error("DRIVER_OK before FEATURES_OK was read back (3.1.1)");
	if (f->refuses_features || (f->insists_on & ~f->driver_features) != 0)
		value &= ~SLUICE_STATUS_FEATURES_OK;
	if (value & SLUICE_STATUS_DRIVER_OK)
		value |= f->status_at_start;
	f->status = value;
}

static void
write_features(struct fake_pci *f, uint32_t value)
{
	unsigned int half = f->feature_select[1];

	if (half > (f->features >> 64 != 0 ? 3 : 1)) {
		fake_error("features of word %u written", half);
		return;
	}
	if (f->status & SLUICE_STATUS_FEATURES_OK)
		fake_error("features written after FEATURES_OK (3.1.1)");
	if (value & ~(uint32_t)(f->features >> (32 * half)))
		fake_error("features accepted that were not offered: 0x%x in word %u (2.2.1)",
				value, half);
	f->driver_features |= (sluice_features)value << (32 * half);
}

static void
common_write(struct fake_pci *f, uint64_t at, uint8_t width, uint32_t value)
{
	expect_width("common write", at, width, width_of(at));
	switch (at) {
	case 0x00:
		f->feature_select[0] = value;
		break;
	case 0x08:
		f->feature_select[1] = value;
		break;
	case 0x0c:
		write_features(f, value);
		break;
	case 0x10:
		f->config_vector = value < f->nb_vectors_kept ? value : SLUICE_MSIX_NO_VECTOR;
		break;
	case 0x14:
		write_status(f, value);
		break;
	case 0x16:
		f->queue_select = value;
		break;
	case 0x18:
	case 0x1a:
	case 0x1c:
	case 0x20 ... 0x34:
	case 0x3a:
		fake_pci_vq_write(f, at, value);
		break;
	default:
		fake_error("common write at 0x%lx: not the driver's to write (4.1.4.3.2)",
				(unsigned long)at);
	}
}

static void
check_access(const struct fake_pci *f, uint8_t bar, uint64_t offset, uint8_t width)
{
	if (bar > 5 || offset + width > f->bar_len[bar] || offset % width != 0)
		fake_error("access to %u bytes at 0x%lx of BAR %u", width, (unsigned long)offset,
				bar);
}

/* Fields of the device configuration (5.1.4). */
static uint8_t
config_width_of(uint64_t at)
{
	switch (at) {
	case 6:
	case 8:
	case 10:
	case 18:
		return 2;
	case 12:
	case 20:
		return 4;
	default:
		return 1;
	}
}

static uint32_t
fake_read(void *ctx, uint8_t bar, uint64_t offset, uint8_t width)
{
	struct fake_pci *f = ctx;
	uint32_t value = 0;

	check_access(f, bar, offset, width);
	if (f->is_gone)
		return width == 4 ? UINT32_MAX : (1U << 8 * width) - 1;
	if (offset >= FAKE_PCI_DEVICE && offset < FAKE_PCI_DEVICE + sizeof(f->net)) {
		expect_width("configuration read", offset, width,
				config_width_of(offset - FAKE_PCI_DEVICE));
		memcpy(&value, &f->net[offset - FAKE_PCI_DEVICE], width);
		return value;
	}
	return common_read(f, offset, width);
}

static void
fake_write(void *ctx, uint8_t bar, uint64_t offset, uint8_t width, uint32_t value)
{
	struct fake_pci *f = ctx;

	check_access(f, bar, offset, width);
	if (!f->is_gone)
		common_write(f, offset, width, value);
}

static volatile void *
fake_address(void *ctx, uint8_t bar, uint64_t offset)
{
	struct fake_pci *f = ctx;

	check_access(f, bar, offset, 2);
	if (offset < FAKE_PCI_NOTIFY)
		fake_error("notification at 0x%lx", (unsigned long)offset);
	return (uint8_t *)f->bell + (offset - FAKE_PCI_NOTIFY);
}

static int
fake_file(void *ctx, uint8_t bar, uint64_t *offset)
{
	const struct fake_pci *f = ctx;

	*offset = (uint64_t)bar << 40;
	return f->file;
}

static int
fake_read_config(void *ctx, void *buf, size_t len, uint32_t offset)
{
	struct fake_pci *f = ctx;

	if (f->config_error != 0)
		return f->config_error;
	if (offset + len > (f->is_express ? sizeof(f->config) : 256))
		return -EIO;
	memcpy(buf, &f->config[offset], len);
	if (f->is_gone)
		memset(buf, 0xff, len);
	return 0;
}

static uint64_t
fake_bar_len(void *ctx, uint8_t bar)
{
	const struct fake_pci *f = ctx;

	if (bar > 5)
		fake_error("length of BAR %u", bar);
	return f->bar_len[bar];
}

static int
fake_irq_start(void *ctx, const struct sluice_pci_irqs *irqs)
{
	struct fake_pci *f = ctx;
	uint16_t table = f->config[FAKE_PCI_CAP_MSIX + 2] | f->config[FAKE_PCI_CAP_MSIX + 3] << 8;

	if (f->has_irq)
		fake_error("interrupts are on already");
	if (f->nb_resets == 0 || (f->status & SLUICE_STATUS_DRIVER_OK))
		fake_error("interrupts before the device was reset, or while it runs");
	if (irqs->nb_queue_vectors > irqs->nb_queue_fds || irqs->nb_queue_vectors > (table & 0x7ff))
		fake_error("%u vectors for %u queues, the table has %u entries",
				irqs->nb_queue_vectors, irqs->nb_queue_fds, (table & 0x7ff) + 1);
	if (irqs->isr != NULL && irqs->nb_queue_vectors != 0)
		fake_error("vectors without MSI-X");
	if (f->has_no_irq || irqs->nb_queue_vectors > f->nb_host_vectors)
		return -EIO;
	f->irqs = *irqs;
	f->is_intx = irqs->isr != NULL;
	f->has_irq = true;
	return 0;
}

static void
fake_irq_stop(void *ctx)
{
	((struct fake_pci *)ctx)->has_irq = false;
}

static void
fake_set_running(void *ctx, bool is_running)
{
	struct fake_pci *f = ctx;

	f->is_running = is_running;
	f->nb_stops += !is_running;
}

static void
fake_close(void *ctx)
{
	struct fake_pci *f = ctx;

	if (f->has_irq)
		fake_error("closed with interrupts on");
	if ((f->status & SLUICE_STATUS_DRIVER_OK) && f->is_running)
		fake_error("closed while it runs");
	f->nb_closes++;
}

const struct sluice_pci_bar_ops fake_pci_ops = {
	.read_config = fake_read_config,
	.bar_len = fake_bar_len,
	.read = fake_read,
	.write = fake_write,
	.address = fake_address,
	.file = fake_file,
	.irq_start = fake_irq_start,
	.irq_stop = fake_irq_stop,
	.set_running = fake_set_running,
	.close = fake_close,
};
