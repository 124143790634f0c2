/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the tour prints: numbered parts, the phases of a transfer, facts, and checks that can fail.
 */

#ifndef TOUR_TRACE_H
#define TOUR_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The life of a transfer, in this order. */
enum tour_phase {
	TOUR_PREPARE,  /* buffer, device address, length and direction are put together */
	TOUR_REQUEST,  /* the registers are written, the doorbell last */
	TOUR_RESPONSE, /* the device says that it took the request */
	TOUR_TRANSFER, /* the device moves bytes, the CPU does something else */
	TOUR_COMPLETE, /* the device says that it is done: seen by polling, or by an interrupt */
	TOUR_POST,     /* the buffer is the CPU's again, and what came is checked */
};

void tour_trace_init(bool has_color);

/** A new part: an empty line, its number and title. */
void tour_part(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** A sentence; it may have several lines. */
void tour_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** A name and its value. */
void tour_fact(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** A phase of a transfer; kernel: what does it in a kernel driver, or NULL. */
void tour_phase(enum tour_phase phase, const char *kernel, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));

/** What a kernel driver would call for the same. */
void tour_kernel(const char *kernel);

/** Something must hold: "ok" or "WRONG" before the text. Returns holds. */
bool tour_check(bool holds, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** How many checks there were, and how many of them failed. */
unsigned int tour_nb_checks(void);
unsigned int tour_nb_wrong(void);

/** To standard error: why the tour cannot go on. */
void tour_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* TOUR_TRACE_H */
