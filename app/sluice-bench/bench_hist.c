/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "bench_hist.h"

#define SUB_BINS (1u << BENCH_HIST_SUB_BITS)

/* SUB_BINS bins for each power of two: a bin is 0.4 % wide, from 1 cycle to for ever. */
static unsigned int
bin_of(uint64_t value)
{
	unsigned int shift;

	if (value < SUB_BINS)
		return value;
	shift = 63 - __builtin_clzll(value) - BENCH_HIST_SUB_BITS;
	return shift * SUB_BINS + (value >> shift);
}

static double
middle_of(unsigned int bin)
{
	const unsigned int shift = bin < SUB_BINS ? 0 : bin / SUB_BINS - 1;

	return ((bin - shift * SUB_BINS) + 0.5) * (double)(UINT64_C(1) << shift);
}

void
bench_hist_add(struct bench_hist *h, uint64_t value)
{
	h->bin[bin_of(value)]++;
	h->nb++;
	if (value > h->worst)
		h->worst = value;
}

void
bench_hist_merge(struct bench_hist *h, const struct bench_hist *from)
{
	unsigned int i;

	for (i = 0; i < BENCH_HIST_BINS; i++)
		h->bin[i] += from->bin[i];
	h->nb += from->nb;
	if (from->worst > h->worst)
		h->worst = from->worst;
}

double
bench_hist_percentile(const struct bench_hist *h, double share)
{
	const uint64_t want = share * h->nb;
	uint64_t sum = 0;
	unsigned int i;

	if (h->nb == 0)
		return 0;
	for (i = 0; i < BENCH_HIST_BINS - 1; i++) {
		sum += h->bin[i];
		if (sum > want)
			break;
	}
	return middle_of(i);
}
