/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Where things are in the picture. Columns are not to scale: a box per span, in the order of
 * addresses, with a gap where addresses do not go on.
 */

#include "tour_svg.h"

#define FIRST_TOP 150
#define BOX_HEIGHT 62
#define MARK_HEIGHT 42
#define GAP 34

/* In the order of addresses. Insertion: there are a handful. */
static unsigned int
sort_spans(const struct tour_drawing *d, enum tour_space space, struct tour_box *out)
{
	unsigned int i, k, nb = 0;

	for (i = 0; i < d->nb_spans; i++) {
		if (d->spans[i].at[space] == TOUR_NO_ADDRESS)
			continue;
		for (k = nb++; k > 0 && d->spans[out[k - 1].span].at[space] > d->spans[i].at[space];
				k--)
			out[k].span = out[k - 1].span;
		out[k].span = i;
	}
	return nb;
}

static unsigned int
height_of(const struct tour_drawing *d, unsigned int span)
{
	unsigned int i, height = BOX_HEIGHT;

	for (i = 0; i < d->nb_marks; i++)
		height += d->marks[i].span == span ? MARK_HEIGHT : 0;
	return height;
}

unsigned int
tour_layout(const struct tour_drawing *d, enum tour_space space, struct tour_box *out)
{
	unsigned int nb = sort_spans(d, space, out), i, top = FIRST_TOP;
	const struct tour_span *below, *above = NULL;

	for (i = 0; i < nb; i++) {
		below = &d->spans[out[i].span];
		out[i].follows = above != NULL && above->at[space] + above->len == below->at[space];
		if (i > 0)
			top += out[i].follows ? 2 : GAP;
		out[i].top = top;
		out[i].height = height_of(d, out[i].span);
		top += out[i].height;
		above = below;
	}
	return nb;
}

unsigned int
tour_mark_top(const struct tour_drawing *d, unsigned int mark)
{
	unsigned int i, top = BOX_HEIGHT - 6;

	for (i = 0; i < mark; i++)
		top += d->marks[i].span == d->marks[mark].span ? MARK_HEIGHT : 0;
	return top;
}
