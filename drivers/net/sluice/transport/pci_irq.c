/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>

#include "pci_common.h"
#include "pci_irq.h"
#include "sluice_log.h"

/*
 * Vectors come before the queue is enabled. A device may be short of them (4.1.5.1.2.2): then
 * vector 0 does, which means all queues.
 */
int
sluice_pci_irq_map(const struct pci_device *dev, const struct pci_irq *irq,
		const struct sluice_vq_setup *vq)
{
	uint16_t vector = vq->vq / 2 + 1;

	if (dev->caps.nb_vectors == 0)
		return 0;
	if (vq->call_fd < 0) {
		sluice_pci_map_vq_vector(dev, vq->vq, SLUICE_MSIX_NO_VECTOR);
		return 0;
	}
	if (vector <= irq->nb_queue_vectors && sluice_pci_map_vq_vector(dev, vq->vq, vector))
		return 0;
	if (sluice_pci_map_vq_vector(dev, vq->vq, 0))
		return 0;
	SLUICE_LOG(ERR,
			"%s: virtqueue %u: the device gives it no interrupt vector; the port works without receive "
			"interrupts (intr_conf.rxq = 0)",
			dev->name, vq->vq);
	return -EPROTO;
}

/* The machine may have fewer vectors left than the device; one is enough. */
int
sluice_pci_irq_start(const struct pci_device *dev, struct pci_irq *irq, const int *fds, uint16_t nb)
{
	struct sluice_pci_place isr = { dev->caps.isr.bar, dev->caps.isr.offset };
	uint16_t nb_vectors = dev->caps.nb_vectors;
	struct sluice_pci_irqs irqs = {
		.event_fd = irq->event_fd,
		.isr = nb_vectors == 0 ? &isr : NULL,
		.queue_fds = fds,
		.nb_queue_fds = nb,
		.nb_queue_vectors = nb_vectors == 0 ? 0 : RTE_MIN(nb, nb_vectors - 1),
	};
	int ret = dev->ops->irq_start(dev->ctx, &irqs);

	if (ret != 0 && irqs.nb_queue_vectors != 0) {
		irqs.nb_queue_vectors = 0;
		ret = dev->ops->irq_start(dev->ctx, &irqs);
	}
	irq->is_on = ret == 0;
	irq->nb_queue_vectors = irqs.nb_queue_vectors;
	return ret;
}

int
sluice_pci_irq_set(const struct pci_device *dev, struct pci_irq *irq, const int *fds, uint16_t nb)
{
	int ret;

	if (irq->is_on)
		dev->ops->irq_stop(dev->ctx);
	ret = sluice_pci_irq_start(dev, irq, fds, nb);
	if (ret != 0 && nb != 0)
		SLUICE_LOG(ERR,
				"%s: no interrupts for receive queues: the machine gives the device none; the port "
				"works without them (intr_conf.rxq = 0)",
				dev->name);
	else if (ret == 0 && irq->nb_queue_vectors < nb)
		SLUICE_LOG(NOTICE,
				"%s: %u of %u receive queues have an interrupt vector of their own, the others "
				"wake through that of the device (QEMU: vectors=N, N at least %u)",
				dev->name, irq->nb_queue_vectors, nb, nb + 1);
	return ret;
}
