/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The picture of the address spaces: three columns, virtual, physical and bus addresses, with a box
 * for each piece of memory in each of them, and lines for the translations. Knows numbers and names
 * only.
 */

#ifndef TOUR_SVG_H
#define TOUR_SVG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What is drawn and in which colour. */
enum tour_kind {
	TOUR_KIND_READ,      /* mapped: the device may only read */
	TOUR_KIND_BOTH,      /* mapped: the device may read and write */
	TOUR_KIND_OUT,       /* a buffer: to the device */
	TOUR_KIND_IN,        /* a buffer: from the device */
	TOUR_KIND_REGISTERS, /* a BAR: the CPU's way to the device */
	TOUR_KIND_REFUSED,   /* a device address that is not mapped, though it was asked for */
	TOUR_NB_KINDS
};

/* The columns. */
enum tour_space { TOUR_SPACE_X, TOUR_SPACE_Y, TOUR_SPACE_Z, TOUR_NB_SPACES };

#define TOUR_NO_ADDRESS UINT64_MAX
#define TOUR_NAME_SIZE 24

/* A piece of memory that is contiguous in each of the spaces. */
struct tour_span {
	uint64_t at[TOUR_NB_SPACES]; /* TOUR_NO_ADDRESS: it has none there */
	uint64_t len;
	enum tour_kind kind;
	char name[TOUR_NAME_SIZE]; /* neither < nor & */
};

/* A buffer within a span, at an offset. */
struct tour_mark {
	unsigned int span;
	uint64_t offset;
	uint64_t len;
	enum tour_kind kind;
	char name[TOUR_NAME_SIZE];
};

struct tour_drawing {
	char device[TOUR_NAME_SIZE];
	uint64_t da_max;
	struct tour_span *spans;
	unsigned int nb_spans;
	struct tour_mark *marks;
	unsigned int nb_marks;
};

/* A span's place in a column. */
struct tour_box {
	unsigned int span;
	unsigned int top;
	unsigned int height;
	bool follows; /* without a gap in addresses on the box above */
};

/**
 * Boxes of a column, from low addresses to high ones; returns how many. out has room for all spans.
 */
unsigned int tour_layout(const struct tour_drawing *d, enum tour_space space, struct tour_box *out);

/** Where a mark lies within its box: lines below the box's top. */
unsigned int tour_mark_top(const struct tour_drawing *d, unsigned int mark);

/** 0, -ENOMEM, or -EIO. */
int tour_svg_write(FILE *f, const struct tour_drawing *d);

#endif /* TOUR_SVG_H */
