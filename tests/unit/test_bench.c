/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What app/sluice-bench makes of times: percentiles, which calls and packets of a slice count and
 * which slices of a window, and the medians with their intervals. A call that is slow must show,
 * with all that it delays; a pause of the machine must not.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bench_slice.h"
#include "bench_stats.h"
#include "bench_window.h"

#define LEAD 1000
#define LEN 10000
#define STALL 100
#define GAP 500
#define T0 7777 /* when the slice begins */
#define START (T0 + LEAD)
#define END (START + LEN)

static struct bench_slice s;
static struct bench_tally kept;

static int
setup(void **state)
{
	(void)state;
	memset(&kept, 0, sizeof(kept));
	memset(&s, 0, sizeof(s));
	s.conf = (struct bench_slice_conf){
		.lead = LEAD,
		.len = LEN,
		.stall = STALL,
		.gap = GAP,
	};
	bench_slice_begin(&s, T0);
	return 0;
}

static void
test_percentiles(void **state)
{
	static struct bench_hist h, more;
	uint64_t i;

	(void)state;
	assert_true(bench_hist_percentile(&h, 0.5) == 0);
	for (i = 1; i <= 10000; i++)
		bench_hist_add(i % 2 ? &h : &more, 1000 * i);
	bench_hist_merge(&h, &more);
	assert_int_equal(h.nb, 10000);
	assert_int_equal(h.worst, 10000000);
	assert_float_equal(bench_hist_percentile(&h, 0.5), 5e6, 5e6 * 0.002);
	assert_float_equal(bench_hist_percentile(&h, 0.99), 9.9e6, 9.9e6 * 0.002);
	assert_float_equal(bench_hist_percentile(&h, 0.999), 9.99e6, 9.99e6 * 0.002);
}

/* From one cycle to for ever, a value is not far from the middle of its bin. */
static void
test_every_time_has_a_bin(void **state)
{
	unsigned int shift, k;

	(void)state;
	for (shift = 0; shift < 64; shift++)
		for (k = 0; k < 3; k++) {
			const uint64_t value = (UINT64_C(1) << shift) + k - 1;
			struct bench_hist h = { 0 };

			bench_hist_add(&h, value);
			assert_float_equal(bench_hist_percentile(&h, 0.5), (double)value,
					0.5 + value * 0.002);
		}
}

static void
test_only_what_is_planned_within_counts(void **state)
{
	(void)state;
	bench_slice_packet(&s, START - 1, START + 50);
	bench_slice_packet(&s, START, START + 50);
	bench_slice_packet(&s, END - 1, END + 70);
	assert_true(bench_slice_lasts(&s, END + 70));
	bench_slice_packet(&s, END, END + 80);
	assert_false(bench_slice_lasts(&s, END + 80));
	assert_int_equal(s.got.trip.nb, 2);
	assert_int_equal(s.got.trip.worst, 71);
	assert_int_equal(s.got.echoed, 2); /* those that came within, not those that left within */
}

static void
test_calls_count_within_the_slice(void **state)
{
	(void)state;
	bench_slice_call(&s, START - 60, START - 10, true);
	bench_slice_call(&s, START + 10, START + 40, true);
	bench_slice_call(&s, START + 50, START + 90, false); /* a poll that found nothing */
	bench_slice_call(&s, END, END + 90, true);
	assert_int_equal(s.got.call.nb, 1);
	assert_int_equal(s.got.call.worst, 30);
}

/* Up to the gap a call is the driver's, and so is what waits for it. */
static void
test_slow_call_is_kept(void **state)
{
	(void)state;
	bench_slice_call(&s, START, START + 20, true);
	bench_slice_call(&s, START + 30, START + 30 + GAP, true);
	bench_slice_packet(&s, START + 25, START + 30 + GAP);
	assert_false(s.is_paused);
	assert_true(bench_slice_lasts(&s, START + 30 + GAP));
	bench_slice_keep(&s, &kept);
	assert_int_equal(kept.call.worst, GAP);
	assert_int_equal(kept.trip.worst, GAP + 5);
	assert_int_equal(s.pauses.nb[WITHIN_CALLS], 1);
	assert_int_equal(s.pauses.nb[BETWEEN_CALLS], 0);
}

static void
test_call_beyond_the_gap_is_a_pause(void **state)
{
	(void)state;
	bench_slice_call(&s, START + 30, START + 31 + GAP, true);
	assert_true(s.is_paused);
	assert_false(bench_slice_lasts(&s, START + 31 + GAP));
	assert_int_equal(s.pauses.nb[WITHIN_CALLS], 1);
}

/* Between two calls the driver has no part: much less than a gap is a pause there. */
static void
test_stall_between_calls_is_a_pause(void **state)
{
	(void)state;
	bench_slice_call(&s, T0 + 500, T0 + 510, true); /* the first: before it was no call */
	bench_slice_call(&s, T0 + 510 + STALL, T0 + 650, true);
	assert_false(s.is_paused);
	bench_slice_call(&s, T0 + 651 + STALL, T0 + 800, true);
	assert_true(s.is_paused);
	assert_int_equal(s.pauses.nb[BETWEEN_CALLS], 1);
	assert_int_equal(s.pauses.cycles[BETWEEN_CALLS], 2 * STALL + 1);
}

/* Packets that never come back, because the ring was full. */
static void
test_slice_ends_without_its_packets(void **state)
{
	(void)state;
	assert_true(bench_slice_lasts(&s, END + LEN));
	assert_false(bench_slice_lasts(&s, END + 10 * LEN));
}

static void
test_slices_kept_add_up(void **state)
{
	(void)state;
	bench_slice_call(&s, START, START + 20, true);
	bench_slice_packet(&s, START, START + 40);
	bench_slice_keep(&s, &kept);
	/* one that is thrown away */
	bench_slice_begin(&s, T0);
	bench_slice_call(&s, START, START + 4 * GAP, true);
	bench_slice_packet(&s, START, START + 4 * GAP);
	bench_slice_begin(&s, T0);
	assert_false(s.is_paused);
	bench_slice_call(&s, START, START + 30, true);
	bench_slice_packet(&s, START, START + 60);
	bench_slice_keep(&s, &kept);
	assert_int_equal(kept.echoed, 2);
	assert_int_equal(kept.trip.nb, 2);
	assert_int_equal(kept.trip.worst, 60);
	assert_int_equal(kept.call.nb, 2);
	assert_int_equal(kept.call.worst, 30);
	/* the account of pauses knows that one, too */
	assert_int_equal(s.pauses.nb[WITHIN_CALLS], 1);
}

static void
test_rate_of_pauses(void **state)
{
	const struct bench_pauses one = {
		.nb = { [BETWEEN_CALLS] = 3, [WITHIN_CALLS] = 1 },
		.cycles = { [BETWEEN_CALLS] = 200, [WITHIN_CALLS] = 100 },
	};
	struct bench_pauses sum = { 0 };

	(void)state;
	assert_true(bench_pauses_rate(&sum, WITHIN_CALLS, 1000) == 0);
	bench_pauses_add(&sum, &one);
	bench_pauses_add(&sum, &one);
	assert_float_equal(bench_pauses_rate(&sum, BETWEEN_CALLS, 1000), 15, 1e-6);
	assert_float_equal(bench_pauses_rate(&sum, WITHIN_CALLS, 1000), 10, 1e-6);
}

/* The device's thread, as far as a window asks it. */
static struct bench_clock device;
static bool device_paused;

struct bench_clock
bench_device_clock(void)
{
	return device;
}

bool
bench_device_paused(struct bench_clock since)
{
	(void)since;
	return device_paused;
}

#define WINDOW_MS 2
#define NB_SLICES (WINDOW_MS * 1000 / BENCH_SLICE_US)

/* A slice of 100 cycles, of which the device has nothing to do in 30. */
static bool
one_slice(struct bench_window *w, bool is_paused, bool is_empty)
{
	bench_window_begin(w);
	device.all += 100;
	device.idle += 30;
	return bench_window_end(w, is_paused, is_empty);
}

static void
test_window_ends_with_enough_slices(void **state)
{
	struct bench_window w;
	unsigned int nb = 0;

	(void)state;
	device_paused = false;
	for (bench_window_init(&w, WINDOW_MS); bench_window_goes_on(&w); nb++)
		assert_true(one_slice(&w, false, nb == 0));
	assert_int_equal(nb, NB_SLICES);
	assert_false(bench_window_disturbed(&w));
	assert_float_equal(bench_window_idle(&w), 0.3, 1e-9);
}

/* Of either core: the slice is left out, with the device's idle time, and another one is run. */
static void
test_pause_costs_a_slice(void **state)
{
	struct bench_window w;
	unsigned int nb = 0;

	(void)state;
	for (bench_window_init(&w, WINDOW_MS); bench_window_goes_on(&w); nb++) {
		device_paused = nb == 2;
		if (nb == 1)
			/* what the device's core did meanwhile tells nothing */
			device.idle += 1000;
		assert_int_equal(one_slice(&w, nb == 0, false), nb != 0 && nb != 2);
	}
	assert_int_equal(nb, NB_SLICES + 2);
	assert_false(bench_window_disturbed(&w));
	assert_float_equal(bench_window_idle(&w), 0.3, 1e-9);
}

/* A machine that is never quiet: an end, one slice for want of a better one, and a word of it. */
static void
test_window_of_pauses_is_disturbed(void **state)
{
	struct bench_window w;
	unsigned int nb = 0, nb_kept = 0;

	(void)state;
	device_paused = true;
	for (bench_window_init(&w, WINDOW_MS); bench_window_goes_on(&w); nb++)
		nb_kept += one_slice(&w, true, nb < BENCH_STRETCH * NB_SLICES - 2);
	assert_int_equal(nb, BENCH_STRETCH * NB_SLICES);
	assert_int_equal(nb_kept, 1);
	assert_true(bench_window_disturbed(&w));
}

static void
test_median(void **state)
{
	double odd[] = { 9, 1, 5 }, even[] = { 8, 2, 4, 100 };

	(void)state;
	assert_float_equal(bench_median(odd, 3), 5, 0);
	assert_float_equal(bench_median(even, 4), 6, 0);
}

/*
 * Blocks of one process are not independent: with the same values the interval is wider when the
 * processes differ.
 */
static void
test_interval_knows_processes(void **state)
{
	double apart[30], mixed[30];
	struct bench_estimate one, other, again;
	size_t i;

	(void)state;
	for (i = 0; i < 30; i++) {
		apart[i] = 100 + i / 10 * 10 + i % 10 * 0.1;
		mixed[i % 3 * 10 + i / 3] = apart[i];
	}
	one = bench_estimate(apart, 3, 10);
	other = bench_estimate(mixed, 3, 10);
	assert_float_equal(one.median, other.median, 0);
	assert_true(one.lo <= one.median && one.median <= one.hi);
	assert_true(one.lo < 101 && one.hi > 120);
	assert_true(other.lo > one.lo || other.hi < one.hi);
	/* the same data, the same interval */
	again = bench_estimate(apart, 3, 10);
	assert_memory_equal(&one, &again, sizeof(one));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_every_time_has_a_bin),
		cmocka_unit_test_setup(test_only_what_is_planned_within_counts, setup),
		cmocka_unit_test_setup(test_calls_count_within_the_slice, setup),
		cmocka_unit_test_setup(test_slow_call_is_kept, setup),
		cmocka_unit_test_setup(test_call_beyond_the_gap_is_a_pause, setup),
		cmocka_unit_test_setup(test_stall_between_calls_is_a_pause, setup),
		cmocka_unit_test_setup(test_slice_ends_without_its_packets, setup),
		cmocka_unit_test_setup(test_slices_kept_add_up, setup),
		cmocka_unit_test(test_rate_of_pauses),
		cmocka_unit_test(test_window_ends_with_enough_slices),
		cmocka_unit_test(test_pause_costs_a_slice),
		cmocka_unit_test(test_window_of_pauses_is_disturbed),
		cmocka_unit_test(test_median),
		cmocka_unit_test(test_interval_knows_processes),
	};

	return cmocka_run_group_tests_name("times of the benchmark", tests, NULL, NULL);
}
