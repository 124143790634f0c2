/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The hand-over is one word each way: `want` belongs to the measuring thread, `is` to this one.
 * While it serves, the thread reads nothing that the measuring thread writes but `want`.
 */
#include "bench_device.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "bench_stats.h"
#include "null_server.h"

#define REST_US 50
#define ANSWER_S 5
#define NB_LINES 1000
#define MAX_SPINS 1000000000

static struct {
	/* written by the measuring thread */
	enum bench_job want __rte_cache_aligned;
	struct bench_port *port;
	uint64_t pause; /* cycles of a poll that are one */
	bool is_started;
	pthread_t thread;
	uint32_t line __rte_cache_aligned;
	/* written by the device's thread */
	enum bench_job is __rte_cache_aligned;
	struct bench_clock clock;
	uint32_t answer __rte_cache_aligned;
} device;

static void
serve(struct bench_port *port, enum bench_job job)
{
	/* copies: the port's other fields are written by the measuring thread */
	struct null_dev *dev = port->dev;
	const unsigned int generation = port->generation;
	const uint32_t frame_len = port->frame_len;
	const int slot = port->slot;
	const uint64_t start = rte_rdtsc();
	const uint64_t pause = device.pause;
	uint64_t idle = 0, nb_pauses = 0, last = start, now;

	null_server_enter(slot);
	while (__atomic_load_n(&device.want, __ATOMIC_RELAXED) == job && dev->error == NULL) {
		uint32_t nb = 0;
		uint16_t i;

		if (null_server_generation(slot) != generation) {
			dev->error = "the driver changed its memory or rings while packets moved";
			break;
		}
		for (i = 0; i < dev->nb_pairs; i++)
			nb += bench_device_poll(dev, i, job, frame_len);
		now = rte_rdtsc();
		if (nb == 0)
			idle += now - last;
		nb_pauses += now - last > pause;
		last = now;
		__atomic_store_n(&device.clock.idle, idle, __ATOMIC_RELAXED);
		__atomic_store_n(&device.clock.all, now - start, __ATOMIC_RELAXED);
		__atomic_store_n(&device.clock.nb_pauses, nb_pauses, __ATOMIC_RELAXED);
		/* release: who reads this time sees all that was counted up to it */
		__atomic_store_n(&device.clock.last, now, __ATOMIC_RELEASE);
	}
	null_server_leave(slot);
}

static void
answer_lines(void)
{
	while (__atomic_load_n(&device.want, __ATOMIC_RELAXED) == JOB_LINE) {
		const uint32_t line = __atomic_load_n(&device.line, __ATOMIC_RELAXED);

		if (line != device.answer)
			__atomic_store_n(&device.answer, line, __ATOMIC_RELAXED);
	}
}

static void *
device_main(void *arg)
{
	enum bench_job job;

	RTE_SET_USED(arg);
	/* acquire and release: port and its null_dev change hands with these two words */
	while ((job = __atomic_load_n(&device.want, __ATOMIC_ACQUIRE)) != JOB_END) {
		if (job == JOB_REST) {
			__atomic_store_n(&device.is, JOB_REST, __ATOMIC_RELEASE);
			usleep(REST_US);
			continue;
		}
		device.clock = (struct bench_clock){ 0 };
		__atomic_store_n(&device.is, job, __ATOMIC_RELEASE);
		if (job == JOB_LINE)
			answer_lines();
		else
			serve(device.port, job);
		/* after an error: until the measuring thread has noticed */
		while (__atomic_load_n(&device.want, __ATOMIC_RELAXED) == job)
			usleep(REST_US);
	}
	return NULL;
}

int
bench_device_start(int core)
{
	cpu_set_t cpus;
	int ret = pthread_create(&device.thread, NULL, device_main, NULL);

	if (ret == 0) {
		device.is_started = true;
		CPU_ZERO(&cpus);
		CPU_SET(core, &cpus);
		ret = pthread_setaffinity_np(device.thread, sizeof(cpus), &cpus);
	}
	if (ret != 0)
		fprintf(stderr, "sluice-bench: no thread for the device on core %d: %s\n", core,
				strerror(ret));
	return -ret;
}

static int
wait_until(enum bench_job job)
{
	const uint64_t end = rte_rdtsc() + ANSWER_S * rte_get_tsc_hz();

	while (__atomic_load_n(&device.is, __ATOMIC_ACQUIRE) != job) {
		if (rte_rdtsc() > end) {
			fprintf(stderr, "sluice-bench: the device's thread does not answer\n");
			return -ETIMEDOUT;
		}
		rte_pause();
	}
	return 0;
}

int
bench_device_serve(struct bench_port *port, enum bench_job job)
{
	int ret = bench_port_sync(port);

	if (ret != 0)
		return ret;
	device.port = port;
	device.pause = job == JOB_ECHO ? bench_stall_cycles() : bench_gap_cycles();
	__atomic_store_n(&device.want, job, __ATOMIC_RELEASE);
	return wait_until(job);
}

struct bench_clock
bench_device_clock(void)
{
	struct bench_clock clock;

	/* this first: a pause that is over by then has been counted */
	clock.last = __atomic_load_n(&device.clock.last, __ATOMIC_ACQUIRE);
	clock.idle = __atomic_load_n(&device.clock.idle, __ATOMIC_RELAXED);
	clock.all = __atomic_load_n(&device.clock.all, __ATOMIC_RELAXED);
	clock.nb_pauses = __atomic_load_n(&device.clock.nb_pauses, __ATOMIC_RELAXED);
	return clock;
}

bool
bench_device_paused(struct bench_clock since)
{
	const struct bench_clock now = bench_device_clock();

	/* signed: the thread may have gone on since the clock was read */
	return now.nb_pauses != since.nb_pauses ||
			(int64_t)(rte_rdtsc() - now.last) > (int64_t)device.pause;
}

int
bench_device_line(struct bench_port *port, double *cycles)
{
	int ret = bench_device_serve(port, JOB_LINE), rest;
	double took[NB_LINES];
	uint32_t i, spins;

	for (i = 0; i < NB_LINES && ret == 0; i++) {
		const uint32_t line = device.line + 1;
		const uint64_t start = rte_rdtsc();

		__atomic_store_n(&device.line, line, __ATOMIC_RELAXED);
		for (spins = 0; __atomic_load_n(&device.answer, __ATOMIC_RELAXED) != line; spins++)
			if (spins == MAX_SPINS) {
				ret = -ETIMEDOUT;
				break;
			}
		took[i] = rte_rdtsc() - start;
	}
	rest = bench_device_rest();
	if (ret == 0)
		*cycles = bench_median(took, NB_LINES);
	return ret != 0 ? ret : rest;
}

int
bench_device_rest(void)
{
	int ret;

	__atomic_store_n(&device.want, JOB_REST, __ATOMIC_RELEASE);
	ret = wait_until(JOB_REST);
	if (ret == 0 && device.port->dev->error != NULL) {
		fprintf(stderr, "sluice-bench: %s: the device stopped: %s\n", device.port->name,
				device.port->dev->error);
		ret = -EIO;
	}
	return ret;
}

void
bench_device_end(void)
{
	if (!device.is_started)
		return;
	__atomic_store_n(&device.want, JOB_END, __ATOMIC_RELEASE);
	pthread_join(device.thread, NULL);
	device.is_started = false;
}
