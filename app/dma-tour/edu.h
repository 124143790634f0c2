/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A driver for QEMU's edu device: registers in a BAR, one DMA engine, one interrupt (MSI). Its
 * memory is a VFIO container of its own, opened before EAL opens the device, as for any device of
 * dmap_vfio_open().
 *
 * One thread uses it. Errors: 0 or a negative errno, after a line that says why.
 */

#ifndef EDU_H
#define EDU_H

#include <stdbool.h>
#include <stdint.h>

#include "dmap.h"
#include "edu_regs.h"

/* For one transfer; the device takes 100 ms of the machine's time. */
#define EDU_DEADLINE_MS 10000

struct edu;

struct edu_transfer {
	struct dmap_addr memory; /* Z */
	uint32_t offset; /* in the device's buffer; offset + len is at most EDU_BUFFER_LEN */
	uint32_t len;
	bool is_to_memory; /* from the device; otherwise from memory to the device */
	bool wants_irq;    /* completion by interrupt, otherwise by polling */
};

/** The device that EAL probed: a VFIO container for it, its BAR, its interrupt. */
int edu_open(struct edu **out);

/** The device is reset, and then nothing is mapped any more. NULL is fine. */
void edu_close(struct edu *e);

/** The device's address space, for dmap_domain_create(). */
struct dmap_vfio *edu_memory(struct edu *e);

/** PCI address; NUMA node; the BAR's bus address (C) and virtual address (A). */
const char *edu_name(const struct edu *e);
int edu_socket(const struct edu *e);
uint64_t edu_bar_bus(const struct edu *e);
const volatile void *edu_bar_va(const struct edu *e);

uint32_t edu_read(const struct edu *e, uint32_t reg);
void edu_write(const struct edu *e, uint32_t reg, uint32_t value);

/** Wait until a register has none of these bits. -ETIMEDOUT; *nb_reads counts. */
int edu_wait_clear(const struct edu *e, uint32_t reg, uint32_t bits, unsigned int *nb_reads);

/** Write the DMA registers, the command last; returns what was written there. */
uint32_t edu_request(const struct edu *e, const struct edu_transfer *t);

/**
 * Sleep until the interrupt comes, and acknowledge it. *status: why the device sent it. -ETIMEDOUT.
 */
int edu_wait_irq(const struct edu *e, uint64_t *nb_irqs, uint32_t *status);

#endif /* EDU_H */
