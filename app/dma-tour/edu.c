/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bus_pci_driver.h>
#include <rte_cycles.h>
#include <rte_interrupts.h>
#include <rte_io.h>

#include "edu.h"
#include "tour_trace.h"

struct edu {
	struct rte_pci_device *pci;
	struct dmap_vfio *memory;
	volatile uint8_t *regs;
	bool is_mapped;
	bool has_irq;
};

static struct rte_pci_device *probed;

/* The device is opened when its container is there, not here. */
static int
probe(struct rte_pci_driver *driver, struct rte_pci_device *pci)
{
	RTE_SET_USED(driver);
	probed = pci;
	return 0;
}

static int
forget(struct rte_pci_device *pci)
{
	if (probed == pci)
		probed = NULL;
	return 0;
}

static const struct rte_pci_id ids[] = {
	{ RTE_PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{ .vendor_id = 0 },
};

/*
 * Without NEED_MAPPING, by which EAL would open the device in its default container, with all
 * memory in it.
 */
static struct rte_pci_driver driver = {
	.probe = probe,
	.remove = forget,
	.id_table = ids,
};

RTE_PMD_REGISTER_PCI(dma_tour_edu, driver);

/* EAL takes MSI-X where it can, and this device has none. */
static int
start_irq(struct edu *e)
{
	struct rte_intr_handle *intr = e->pci->intr_handle;

	if (rte_intr_type_set(intr, RTE_INTR_HANDLE_VFIO_MSI) != 0 || rte_intr_enable(intr) != 0) {
		tour_error("%s: the MSI interrupt cannot be enabled", e->pci->name);
		return -EIO;
	}
	e->has_irq = true;
	return 0;
}

static int
init(struct edu *e)
{
	struct rte_pci_device *pci = e->pci;
	uint32_t id;
	int ret = dmap_vfio_open(rte_pci_get_sysfs_path(), pci->name, &e->memory);

	if (ret != 0)
		return ret;
	if (rte_pci_map_device(pci) != 0) {
		tour_error("%s: EAL could not open the device; its messages say why", pci->name);
		return -EIO;
	}
	e->is_mapped = true;
	e->regs = pci->mem_resource[EDU_BAR].addr;
	if (e->regs == NULL || pci->mem_resource[EDU_BAR].len < EDU_BAR_LEN) {
		tour_error("%s: BAR %u has %lu bytes, %u are needed", pci->name, EDU_BAR,
				(unsigned long)pci->mem_resource[EDU_BAR].len, EDU_BAR_LEN);
		return -ENODEV;
	}
	id = edu_read(e, EDU_ID);
	if ((id & EDU_ID_MASK) != EDU_ID_VALUE) {
		tour_error("%s: the identification register reads 0x%08x, not 0xRRrr%04x",
				pci->name, id, EDU_ID_VALUE);
		return -ENODEV;
	}
	ret = start_irq(e);
	return ret == 0 ? dmap_vfio_verify(e->memory) : ret;
}

int
edu_open(struct edu **out)
{
	struct edu *e;
	int ret;

	if (probed == NULL) {
		tour_error("EAL did not find the device; its messages say why");
		return -ENODEV;
	}
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return -ENOMEM;
	e->pci = probed;
	ret = init(e);
	if (ret != 0) {
		edu_close(e);
		return ret;
	}
	*out = e;
	return 0;
}

void
edu_close(struct edu *e)
{
	if (e == NULL)
		return;
	if (e->has_irq)
		rte_intr_disable(e->pci->intr_handle);
	if (e->is_mapped) {
		rte_pci_set_bus_master(e->pci, false);
		dmap_vfio_reset_device(rte_intr_dev_fd_get(e->pci->intr_handle));
		rte_pci_unmap_device(e->pci);
	}
	dmap_vfio_close(e->memory);
	free(e);
}

struct dmap_vfio *
edu_memory(struct edu *e)
{
	return e->memory;
}

const char *
edu_name(const struct edu *e)
{
	return e->pci->name;
}

int
edu_socket(const struct edu *e)
{
	return e->pci->device.numa_node;
}

uint64_t
edu_bar_bus(const struct edu *e)
{
	return e->pci->mem_resource[EDU_BAR].phys_addr;
}

const volatile void *
edu_bar_va(const struct edu *e)
{
	return e->regs;
}

uint32_t
edu_read(const struct edu *e, uint32_t reg)
{
	return rte_read32(e->regs + reg);
}

void
edu_write(const struct edu *e, uint32_t reg, uint32_t value)
{
	rte_write32(value, e->regs + reg);
}

int
edu_wait_clear(const struct edu *e, uint32_t reg, uint32_t bits, unsigned int *nb_reads)
{
	uint64_t end = rte_get_timer_cycles() + rte_get_timer_hz() / 1000 * EDU_DEADLINE_MS;

	for (*nb_reads = 1; edu_read(e, reg) & bits; (*nb_reads)++) {
		if (rte_get_timer_cycles() > end) {
			tour_error("%s: register 0x%x keeps 0x%x for %u ms", edu_name(e), reg, bits,
					EDU_DEADLINE_MS);
			return -ETIMEDOUT;
		}
		rte_delay_us_block(100);
	}
	return 0;
}

uint32_t
edu_request(const struct edu *e, const struct edu_transfer *t)
{
	uint64_t inside = EDU_BUFFER + t->offset;
	uint32_t command = EDU_CMD_START | (t->is_to_memory ? EDU_CMD_TO_MEMORY : 0) |
			(t->wants_irq ? EDU_CMD_IRQ : 0);

	rte_write64(t->is_to_memory ? inside : t->memory.v, e->regs + EDU_DMA_SRC);
	rte_write64(t->is_to_memory ? t->memory.v : inside, e->regs + EDU_DMA_DST);
	rte_write64(t->len, e->regs + EDU_DMA_LEN);
	/*
	 * The doorbell; the write is ordered behind what the CPU wrote into the buffer
	 * (rte_io_wmb()).
	 */
	rte_write32(command, e->regs + EDU_DMA_CMD);
	return command;
}

int
edu_wait_irq(const struct edu *e, uint64_t *nb_irqs, uint32_t *status)
{
	struct pollfd pfd = { .fd = rte_intr_fd_get(e->pci->intr_handle), .events = POLLIN };
	uint64_t count = 0;
	int ret = poll(&pfd, 1, EDU_DEADLINE_MS);

	if (ret > 0 && read(pfd.fd, &count, sizeof(count)) != sizeof(count))
		ret = -1;
	if (ret <= 0) {
		tour_error("%s: no interrupt: %s", edu_name(e),
				ret == 0 ? "not in time" : strerror(errno));
		return ret == 0 ? -ETIMEDOUT : -EIO;
	}
	*nb_irqs = count;
	*status = edu_read(e, EDU_IRQ_STATUS);
	edu_write(e, EDU_IRQ_ACK, *status);
	return 0;
}
