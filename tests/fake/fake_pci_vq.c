/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <string.h>

#include "fake_error.h"
#include "fake_pci_vq.h"

/* A virtqueue as after a reset of the device (2.6.1). */
static void
reset_queue(struct fake_pci_queue *q)
{
	q->size = q->size_max;
	q->msix_vector = SLUICE_MSIX_NO_VECTOR;
	q->is_enabled = false;
	q->written = 0;
	memset(q->addr, 0, sizeof(q->addr));
}

void
fake_pci_vq_reset_all(struct fake_pci *f)
{
	unsigned int i;

	for (i = 0; i < FAKE_PCI_QUEUES_MAX; i++)
		reset_queue(&f->queues[i]);
}

static struct fake_pci_queue *
selected(struct fake_pci *f)
{
	static struct fake_pci_queue none;

	if (f->queue_select < FAKE_PCI_QUEUES_MAX && f->queue_select < f->num_queues)
		return &f->queues[f->queue_select];
	none = (struct fake_pci_queue){ 0 };
	return &none;
}

static uint16_t
read_size(struct fake_pci *f)
{
	struct fake_pci_queue *q = selected(f);

	if (f->shrinks && q->size > 1)
		q->size--;
	return q->size;
}

static void
finish_reset(struct fake_pci *f)
{
	struct fake_pci_queue *q = selected(f);
	bool was_enabled = q->is_enabled;

	reset_queue(q);
	q->nb_resets++;
	q->is_enabled = was_enabled && f->keeps_enabled;
}

static uint16_t
read_reset(struct fake_pci *f)
{
	if (f->nb_vq_pending == 0)
		return 0;
	if (f->nb_vq_pending != UINT32_MAX && --f->nb_vq_pending == 0)
		finish_reset(f);
	return 1;
}

static void
write_reset(struct fake_pci *f, uint32_t value)
{
	if (!(f->driver_features & SLUICE_BIT(SLUICE_F_RING_RESET)))
		fake_error("queue %u: reset without the feature (4.1.4.3.2)", f->queue_select);
	if (value != 1 || !selected(f)->is_enabled || !(f->status & SLUICE_STATUS_DRIVER_OK))
		fake_error("queue %u: %u written to queue_reset of a queue that is off (2.6.1)",
				f->queue_select, value);
	f->nb_vq_pending = f->vq_reset_reads;
	if (f->nb_vq_pending == 0)
		finish_reset(f);
}

uint32_t
fake_pci_vq_read(struct fake_pci *f, uint64_t at)
{
	switch (at) {
	case 0x18:
		return read_size(f);
	case 0x1a:
		return selected(f)->msix_vector;
	case 0x1c:
		return selected(f)->is_enabled;
	case 0x1e:
		return selected(f)->notify_off;
	case 0x3a:
		return read_reset(f);
	default:
		return selected(f)->addr[(at - 0x20) / 4];
	}
}

static void
write_register(struct fake_pci *f, uint64_t at, uint32_t value)
{
	struct fake_pci_queue *q = selected(f);

	if (q->is_enabled)
		fake_error("queue %u: register 0x%lx written while enabled", f->queue_select,
				(unsigned long)at);
	if (!(f->status & SLUICE_STATUS_FEATURES_OK))
		fake_error("queue %u set up before FEATURES_OK (3.1.1)", f->queue_select);
	if (at >= 0x20) {
		q->addr[(at - 0x20) / 4] = value;
		q->written |= 1 << (at - 0x20) / 4;
	} else if (at == 0x18) {
		if (value == 0 || value > q->size_max)
			fake_error("queue %u: size %u of %u (4.1.4.3.2)", f->queue_select, value,
					q->size_max);
		q->size = f->keeps_size ? q->size : value;
	} else if (at == 0x1a) {
		q->msix_vector = value < f->nb_vectors_kept ? value : SLUICE_MSIX_NO_VECTOR;
	} else {
		if (value != 1 || q->written != 0x3f)
			fake_error("queue %u: enabled with %u, addresses written 0x%x (4.1.4.3.2)",
					f->queue_select, value, q->written);
		q->is_enabled = true;
	}
}

void
fake_pci_vq_write(struct fake_pci *f, uint64_t at, uint32_t value)
{
	if (at == 0x3a)
		write_reset(f, value);
	else
		write_register(f, at, value);
}
