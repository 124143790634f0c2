/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The null device in a thread on a core of its own. It serves one port at a time; between
 * bench_device_serve() and bench_device_rest() that port's null_dev belongs to the thread.
 */
#ifndef BENCH_DEVICE_H
#define BENCH_DEVICE_H

#include <rte_cycles.h>

#include "bench_port.h"

enum bench_job {
	JOB_REST,
	JOB_TX,   /* take what is transmitted */
	JOB_RX,   /* fill receive buffers */
	JOB_IO,   /* both */
	JOB_ECHO, /* give back what is transmitted */
	JOB_LINE, /* answer in a cache line, and leave the rings alone */
	JOB_END,
};

/* A pause of a loop longer than this: the core was given to somebody else. */
#define BENCH_GAP_US 50

/** The same in TSC cycles. */
static inline uint64_t
bench_gap_cycles(void)
{
	return BENCH_GAP_US * (rte_get_tsc_hz() / 1000000);
}

/*
 * What the application does between two driver calls, and what the device does for a burst, takes
 * two microseconds at most. A timer's interrupt of a virtual machine takes 10 to 30.
 */
#define BENCH_STALL_US 10

static inline uint64_t
bench_stall_cycles(void)
{
	return BENCH_STALL_US * (rte_get_tsc_hz() / 1000000);
}

/* TSC cycles since the thread began to serve. */
struct bench_clock {
	uint64_t idle; /* in polls that found nothing to do */
	uint64_t all;
	uint64_t nb_pauses; /* that were longer than the job allows */
	uint64_t last;      /* TSC at the end of the last poll */
};

#define BENCH_DEVICE_BATCH 32 /* packets of a poll, as vhost */

/** One poll of one queue pair, by whoever has the null_dev. Returns the packets moved. */
static inline uint32_t
bench_device_poll(struct null_dev *dev, uint16_t pair, enum bench_job job, uint32_t frame_len)
{
	uint32_t nb = 0;

	if (job == JOB_ECHO)
		return null_dev_echo(dev, pair, BENCH_DEVICE_BATCH);
	if (job != JOB_RX)
		nb += null_dev_consume(dev, pair, BENCH_DEVICE_BATCH);
	if (job != JOB_TX)
		nb += null_dev_produce(dev, pair, BENCH_DEVICE_BATCH, frame_len);
	return nb;
}

/** Start the thread on `core`. 0 or -errno. */
int bench_device_start(int core);

/** Let it serve a port; returns when it does. 0 or -ETIMEDOUT. */
int bench_device_serve(struct bench_port *port, enum bench_job job);

struct bench_clock bench_device_clock(void);

/**
 * Was its core given to somebody else at any time since `since`, or is it now? With JOB_ECHO a
 * pause is longer than BENCH_STALL_US, with the others longer than BENCH_GAP_US.
 */
bool bench_device_paused(struct bench_clock since);

/**
 * How long a cache line takes to the device's core and back: the median of many times. 0 or -errno.
 */
int bench_device_line(struct bench_port *port, double *cycles);

/** Take the device back. 0, or -errno with the reason on stderr if it had to stop. */
int bench_device_rest(void);

/** End the thread. To be called when it rests; accepts that it was never started. */
void bench_device_end(void);

#endif /* BENCH_DEVICE_H */
