/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bus_pci_driver.h>
#include <rte_interrupts.h>
#include <rte_io.h>

#include "pci_hw.h"
#include "sluice_log.h"

struct sluice_pci_hw {
	struct rte_pci_device *pci;
	struct dmap_vfio *memory;
	bool is_mapped;
	bool has_irq;
	struct sluice_pci_irqs irqs;
	volatile uint8_t *isr; /* to be read at each interrupt; NULL: not needed (4.1.4.5.2) */
};

static int
hw_read_config(void *ctx, void *buf, size_t len, uint32_t offset)
{
	const struct sluice_pci_hw *hw = ctx;
	int ret = rte_pci_read_config(hw->pci, buf, len, offset);

	return ret == (int)len ? 0 : ret < 0 ? -errno : -EIO;
}

static uint64_t
hw_bar_len(void *ctx, uint8_t bar)
{
	const struct rte_mem_resource *r =
			&((const struct sluice_pci_hw *)ctx)->pci->mem_resource[bar];

	/* EAL maps memory BARs only. */
	return r->addr == NULL ? 0 : r->len;
}

static volatile void *
hw_address(void *ctx, uint8_t bar, uint64_t offset)
{
	const struct sluice_pci_hw *hw = ctx;

	return (volatile uint8_t *)hw->pci->mem_resource[bar].addr + offset;
}

static int
hw_file(void *ctx, uint8_t bar, uint64_t *offset)
{
	const struct sluice_pci_hw *hw = ctx;
	int fd = rte_intr_dev_fd_get(hw->pci->intr_handle);
	int ret = dmap_vfio_find_bar(fd, bar, offset);

	return ret == 0 ? fd : ret;
}

static uint32_t
hw_read(void *ctx, uint8_t bar, uint64_t offset, uint8_t width)
{
	volatile void *addr = hw_address(ctx, bar, offset);

	return width == 1 ? rte_read8(addr) : width == 2 ? rte_read16(addr) : rte_read32(addr);
}

static void
hw_write(void *ctx, uint8_t bar, uint64_t offset, uint8_t width, uint32_t value)
{
	volatile void *addr = hw_address(ctx, bar, offset);

	if (width == 1)
		rte_write8(value, addr);
	else if (width == 2)
		rte_write16(value, addr);
	else
		rte_write32(value, addr);
}

static void
signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* full: the reader has enough to do */
}

/* EAL's interrupt thread, for vector 0; all it does is to pass the news on. */
static void
on_interrupt(void *arg)
{
	struct sluice_pci_hw *hw = arg;
	uint16_t i;

	if (hw->isr != NULL) {
		/* The read ends the interrupt, which VFIO then has to unmask. */
		rte_read8(hw->isr);
		rte_intr_ack(hw->pci->intr_handle);
	}
	signal_fd(hw->irqs.event_fd);
	for (i = 0; i < hw->irqs.nb_queue_fds; i++)
		signal_fd(hw->irqs.queue_fds[i]);
}

/*
 * The eventfds of the queues are in EAL's handle already, since applications find them there; how
 * many of them are given to VFIO, for vectors 1 and up, is decided here.
 */
static int
hw_irq_start(void *ctx, const struct sluice_pci_irqs *irqs)
{
	struct sluice_pci_hw *hw = ctx;
	struct rte_intr_handle *intr = hw->pci->intr_handle;
	int ret;

	hw->irqs = *irqs;
	hw->isr = irqs->isr == NULL ? NULL : hw_address(ctx, irqs->isr->bar, irqs->isr->offset);
	/* EAL takes MSI-X even where the device has no vectors. */
	if (irqs->isr != NULL)
		rte_intr_type_set(intr, RTE_INTR_HANDLE_VFIO_LEGACY);
	rte_intr_max_intr_set(intr, 1 + irqs->nb_queue_vectors);
	ret = rte_intr_callback_register(intr, on_interrupt, hw);
	if (ret < 0)
		return ret;
	if (rte_intr_enable(intr) < 0) {
		rte_intr_callback_unregister_sync(intr, on_interrupt, hw);
		return -EIO;
	}
	hw->has_irq = true;
	return 0;
}

static void
hw_irq_stop(void *ctx)
{
	struct sluice_pci_hw *hw = ctx;

	if (!hw->has_irq)
		return;
	rte_intr_disable(hw->pci->intr_handle);
	/* Not from the interrupt thread itself, so this waits until the callback is done. */
	rte_intr_callback_unregister_sync(hw->pci->intr_handle, on_interrupt, hw);
	hw->has_irq = false;
}

static void
hw_set_running(void *ctx, bool is_running)
{
	const struct sluice_pci_hw *hw = ctx;

	if (rte_pci_set_bus_master(hw->pci, is_running) < 0)
		SLUICE_LOG(WARNING, "%s: cannot switch bus mastering %s", hw->pci->name,
				is_running ? "on" : "off");
	if (!is_running)
		dmap_vfio_reset_device(rte_intr_dev_fd_get(hw->pci->intr_handle));
}

static void
unmap_bars(struct rte_pci_device *pci)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(pci->mem_resource); i++) {
		if (pci->mem_resource[i].addr != NULL)
			munmap(pci->mem_resource[i].addr, pci->mem_resource[i].len);
		pci->mem_resource[i].addr = NULL;
	}
}

/*
 * EAL left the descriptor of an interrupt and its mappings behind when it could not set up the
 * device. A mapping holds the device, and so its group: nobody could open it again.
 */
static void
drop_leftovers(struct rte_pci_device *pci)
{
	int fd = rte_intr_fd_get(pci->intr_handle);

	if (fd >= 0)
		close(fd);
	rte_intr_fd_set(pci->intr_handle, -1);
	unmap_bars(pci);
}

/* EAL gives up on the first error; then what it left is closed here. */
static void
unmap_device(struct sluice_pci_hw *hw)
{
	struct rte_pci_device *pci = hw->pci;
	int device_fd = rte_intr_dev_fd_get(pci->intr_handle);
	unsigned int i;

	rte_pci_unmap_device(pci);
	if (dmap_vfio_is_device(device_fd)) {
		SLUICE_LOG(WARNING, "%s: EAL did not close the device; closed", pci->name);
		close(device_fd);
		unmap_bars(pci);
	}
	for (i = 0; i < RTE_DIM(pci->mem_resource); i++)
		pci->mem_resource[i].addr = NULL;
	rte_intr_fd_set(pci->intr_handle, -1);
	rte_intr_dev_fd_set(pci->intr_handle, -1);
	hw->is_mapped = false;
}

/* The order matters: the container must be bound before EAL looks for one (see dmap_vfio.c). */
static int
open_device(struct sluice_pci_hw *hw)
{
	struct rte_pci_device *pci = hw->pci;
	int ret;

	if (pci->kdrv != RTE_PCI_KDRV_VFIO) {
		SLUICE_LOG(ERR,
				"%s: the kernel's driver is not vfio-pci: bind it (modprobe vfio-pci; "
				"dpdk-devbind.py -b vfio-pci %s)",
				pci->name, pci->name);
		return -ENODEV;
	}
	ret = dmap_vfio_open(rte_pci_get_sysfs_path(), pci->name, &hw->memory);
	if (ret != 0)
		return ret;
	ret = rte_pci_map_device(pci);
	if (ret != 0) {
		SLUICE_LOG(ERR, "%s: EAL could not open the device; its messages above say why",
				pci->name);
		drop_leftovers(pci);
		return -EIO;
	}
	hw->is_mapped = true;
	return dmap_vfio_verify(hw->memory);
}

int
sluice_pci_hw_open(struct rte_pci_device *pci, struct sluice_pci_hw **out)
{
	struct sluice_pci_hw *hw = calloc(1, sizeof(*hw));
	int ret;

	if (hw == NULL)
		return -ENOMEM;
	hw->pci = pci;
	ret = open_device(hw);
	if (ret != 0) {
		sluice_pci_hw_close(hw);
		return ret;
	}
	*out = hw;
	return 0;
}

struct dmap_vfio *
sluice_pci_hw_memory(struct sluice_pci_hw *hw)
{
	return hw->memory;
}

void
sluice_pci_hw_close(struct sluice_pci_hw *hw)
{
	if (hw == NULL)
		return;
	hw_irq_stop(hw);
	if (hw->is_mapped)
		unmap_device(hw);
	dmap_vfio_close(hw->memory);
	free(hw);
}

static void
hw_close(void *ctx)
{
	sluice_pci_hw_close(ctx);
}

const struct sluice_pci_bar_ops sluice_pci_hw_ops = {
	.read_config = hw_read_config,
	.bar_len = hw_bar_len,
	.read = hw_read,
	.write = hw_write,
	.address = hw_address,
	.file = hw_file,
	.irq_start = hw_irq_start,
	.irq_stop = hw_irq_stop,
	.set_running = hw_set_running,
	.close = hw_close,
};
