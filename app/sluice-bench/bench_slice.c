/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "bench_slice.h"

#include <string.h>

#define MAX_TAIL \
	4 /* lengths of a slice to wait for its last packets: what is not there then is lost */

void
bench_pauses_add(struct bench_pauses *sum, const struct bench_pauses *one)
{
	unsigned int i;

	for (i = 0; i < NB_WHERE; i++) {
		sum->nb[i] += one->nb[i];
		sum->cycles[i] += one->cycles[i];
	}
}

double
bench_pauses_rate(const struct bench_pauses *p, enum bench_where where, uint64_t hz)
{
	return p->cycles[where] == 0 ? 0 : (double)p->nb[where] * hz / p->cycles[where];
}

void
bench_slice_begin(struct bench_slice *s, uint64_t now)
{
	memset(&s->got, 0, sizeof(s->got));
	s->start = now + s->conf.lead;
	s->end = s->start + s->conf.len;
	s->last = 0;
	s->is_paused = false;
	s->is_over = false;
}

bool
bench_slice_lasts(const struct bench_slice *s, uint64_t now)
{
	return !s->is_paused && !s->is_over && now < s->end + MAX_TAIL * s->conf.len;
}

static bool
is_within(const struct bench_slice *s, uint64_t when)
{
	return when >= s->start && when < s->end;
}

static void
note_time(struct bench_slice *s, enum bench_where where, uint64_t cycles)
{
	s->pauses.cycles[where] += cycles;
	s->pauses.nb[where] += cycles > s->conf.stall;
}

void
bench_slice_call(struct bench_slice *s, uint64_t before, uint64_t after, bool is_busy)
{
	note_time(s, WITHIN_CALLS, after - before);
	s->is_paused |= after - before > s->conf.gap;
	if (s->last != 0) {
		note_time(s, BETWEEN_CALLS, before - s->last);
		s->is_paused |= before - s->last > s->conf.stall;
	}
	s->last = after;
	if (is_busy && is_within(s, before))
		bench_hist_add(&s->got.call, after - before);
}

void
bench_slice_packet(struct bench_slice *s, uint64_t plan, uint64_t now)
{
	s->got.echoed += is_within(s, now);
	if (is_within(s, plan))
		bench_hist_add(&s->got.trip, now - plan);
	s->is_over |= plan >= s->end;
}

void
bench_slice_keep(const struct bench_slice *s, struct bench_tally *kept)
{
	kept->echoed += s->got.echoed;
	bench_hist_merge(&kept->trip, &s->got.trip);
	bench_hist_merge(&kept->call, &s->got.call);
}
