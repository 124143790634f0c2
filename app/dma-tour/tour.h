/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The parts of the tour, in the order in which they are shown. */

#ifndef TOUR_H
#define TOUR_H

#include "edu.h"
#include "tour_memory.h"

struct tour {
	struct edu *edu;
	struct tour_memory memory;
	int kmsg; /* descriptor of the kernel's log; negative: not readable */
	unsigned int nb_transfers;
	unsigned int nb_refused; /* transfers, by the IOMMU */
	uint64_t nb_irqs;
};

/* The values of buffers: a pattern that depends on the place, and single bytes. */
#define TOUR_UNTOUCHED 0xee
void tour_fill(void *buf, uint32_t len, uint8_t seed);
bool tour_is_filled(const void *buf, uint32_t len, uint8_t seed);
bool tour_is_all(const void *buf, uint32_t len, uint8_t byte);

/**
 * Ask the device for a transfer and wait, by polling, until it says that it is done; tells one
 * line.
 */
int tour_shoot(struct tour *t, const struct edu_transfer *x);

/** Identification, liveness, and the factorial as a taste of request and response. */
int tour_registers(struct edu *e);

/**
 * Four transfers with all their phases: coherent and polled, streaming and interrupted, both ways.
 * Then there and back, through a bounce buffer.
 */
int tour_transfers(struct tour *t);

/** Transfers that the IOMMU must refuse, each beside one that it lets pass. */
int tour_refusals(struct tour *t);

/** The mappings as a list, and drawn into the file unless it is NULL. */
int tour_picture(struct tour *t, const char *file);

#endif /* TOUR_H */
