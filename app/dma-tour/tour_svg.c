/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tour_svg.h"

#define WIDTH 1280
#define BOX_WIDTH 236
#define MARK_HEIGHT 36
#define LEGEND_HEIGHT 96

static const struct {
	unsigned int left;
	const char *title, *says;
} columns[TOUR_NB_SPACES] = {
	[TOUR_SPACE_X] = { 150, "X: virtual", "what the CPU's instructions use" },
	[TOUR_SPACE_Y] = { 522, "Y: physical", "where the bytes are" },
	[TOUR_SPACE_Z] = { 894, "Z: bus (IOVA)", NULL },
};

static const struct {
	const char *fill, *line, *says;
} kinds[TOUR_NB_KINDS] = {
	[TOUR_KIND_READ] = { "#e3eefb", "#1f6fc5", "mapped, the device may read" },
	[TOUR_KIND_BOTH] = { "#efe8fa", "#7447b8", "mapped, the device may read and write" },
	[TOUR_KIND_OUT] = { "#bcdaf7", "#1f6fc5", "buffer, memory -> device" },
	[TOUR_KIND_IN] = { "#c9ecd0", "#23893c", "buffer, device -> memory" },
	[TOUR_KIND_REGISTERS] = { "#fdf0d5", "#b7791f", "registers of the device (BAR)" },
	[TOUR_KIND_REFUSED] = { "#fdeaea", "#c62828", "not mapped: refused by the IOMMU" },
};

static void
begin(FILE *f, const struct tour_drawing *d, unsigned int height)
{
	fprintf(f,
			"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
			"viewBox=\"0 0 %u %u\" font-family=\"DejaVu Sans, Helvetica, sans-serif\" "
			"font-size=\"13\" fill=\"#222\">\n"
			"<title>Address spaces of a DMA transfer</title>\n"
			"<rect width=\"%u\" height=\"%u\" fill=\"#fff\"/>\n"
			"<text x=\"%u\" y=\"38\" font-size=\"21\" font-weight=\"bold\" "
			"text-anchor=\"middle\">One buffer, three addresses</text>\n"
			"<text x=\"%u\" y=\"60\" text-anchor=\"middle\" fill=\"#555\">every DMA mapping of "
			"this process for device %s; low addresses on top, not to scale</text>\n"
			"<defs>\n",
			WIDTH, height, WIDTH, height, WIDTH, height, WIDTH / 2, WIDTH / 2,
			d->device);
	for (unsigned int kind = 0; kind < TOUR_NB_KINDS; kind++)
		fprintf(f,
				"<marker id=\"tip%u\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
				"markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
				"<path d=\"M0 0L8 4L0 8z\" fill=\"%s\"/></marker>\n",
				kind, kinds[kind].line);
	fprintf(f, "</defs>\n");
}

static void
column_heads(FILE *f, const struct tour_drawing *d, unsigned int end)
{
	unsigned int s, middle;

	for (s = 0; s < TOUR_NB_SPACES; s++) {
		middle = columns[s].left + BOX_WIDTH / 2;
		fprintf(f,
				"<rect x=\"%u\" y=\"82\" width=\"%u\" height=\"%u\" rx=\"10\" "
				"fill=\"#f6f6f8\" stroke=\"#dcdce2\"/>\n"
				"<text x=\"%u\" y=\"108\" text-anchor=\"middle\" font-size=\"15\" "
				"font-weight=\"bold\">%s</text>\n<text x=\"%u\" y=\"127\" "
				"text-anchor=\"middle\" font-size=\"12\" fill=\"#555\">",
				columns[s].left - 12, BOX_WIDTH + 24, end - 82 + 14, middle,
				columns[s].title, middle);
		if (columns[s].says != NULL)
			fprintf(f, "%s</text>\n", columns[s].says);
		else
			fprintf(f, "what the device sends: up to 0x%" PRIx64 "</text>\n",
					d->da_max);
	}
	for (s = 0; s + 1 < TOUR_NB_SPACES; s++)
		fprintf(f,
				"<text x=\"%u\" y=\"104\" text-anchor=\"middle\" font-weight=\"bold\" "
				"fill=\"#555\">%s</text>\n"
				"<text x=\"%u\" y=\"121\" text-anchor=\"middle\" font-size=\"11\" "
				"fill=\"#777\">%s</text>\n",
				(columns[s].left + BOX_WIDTH + columns[s + 1].left) / 2,
				s == 0 ? "MMU" : "IOMMU",
				(columns[s].left + BOX_WIDTH + columns[s + 1].left) / 2,
				s == 0 ? "X to Y" : "Z to Y");
}

/* Whoever uses the addresses: a box beside the columns, and an arrow. */
static void
users(FILE *f, unsigned int end)
{
	unsigned int middle = (150 + end) / 2;

	fprintf(f,
			"<g text-anchor=\"middle\">\n"
			"<rect x=\"22\" y=\"%u\" width=\"72\" height=\"60\" rx=\"8\" fill=\"#fff\" "
			"stroke=\"#444\"/>\n<text x=\"58\" y=\"%u\" font-weight=\"bold\">CPU</text>\n"
			"<text x=\"58\" y=\"%u\" font-size=\"11\">load, store</text>\n"
			"<rect x=\"%u\" y=\"%u\" width=\"72\" height=\"60\" rx=\"8\" fill=\"#fff\" "
			"stroke=\"#444\"/>\n<text x=\"%u\" y=\"%u\" font-weight=\"bold\">device</text>\n"
			"<text x=\"%u\" y=\"%u\" font-size=\"11\">DMA</text>\n</g>\n"
			"<path d=\"M94 %uH134M%u %uH%u\" stroke=\"#444\" stroke-width=\"1.6\" "
			"fill=\"none\"/>\n"
			"<path d=\"M138 %ul-8 -4v8zM%u %ul8 -4v8z\" fill=\"#444\"/>\n",
			middle - 30, middle - 3, middle + 14, WIDTH - 94, middle - 30, WIDTH - 58,
			middle - 3, WIDTH - 58, middle + 14, middle, WIDTH - 94, middle, 1146,
			middle, 1142, middle);
}

static void
mark(FILE *f, const struct tour_drawing *d, unsigned int i, enum tour_space space,
		const struct tour_box *box)
{
	const struct tour_mark *m = &d->marks[i];
	unsigned int left = columns[space].left + 10, top = box->top + tour_mark_top(d, i);

	fprintf(f,
			"<g class=\"buffer\"><rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"4\" "
			"fill=\"%s\" stroke=\"%s\"/>"
			"<text x=\"%u\" y=\"%u\" font-size=\"12\">%s</text>"
			"<text x=\"%u\" y=\"%u\" font-size=\"11\" fill=\"#555\" "
			"text-anchor=\"end\">%" PRIu64 " bytes</text>"
			"<text x=\"%u\" y=\"%u\" font-size=\"11\" "
			"font-family=\"DejaVu Sans Mono, monospace\">0x%" PRIx64 "</text></g>\n",
			left, top, BOX_WIDTH - 20, MARK_HEIGHT, kinds[m->kind].fill,
			kinds[m->kind].line, left + 8, top + 15, m->name, left + BOX_WIDTH - 28,
			top + 15, m->len, left + 8, top + 30,
			d->spans[m->span].at[space] + m->offset);
}

static void
size_text(char *text, size_t size, uint64_t len)
{
	if (len % (1 << 20) == 0)
		snprintf(text, size, "%" PRIu64 " MiB", len >> 20);
	else
		snprintf(text, size, "%" PRIu64 " KiB", len >> 10);
}

static void
box(FILE *f, const struct tour_drawing *d, enum tour_space space, const struct tour_box *b)
{
	const struct tour_span *s = &d->spans[b->span];
	unsigned int left = columns[space].left, i;
	bool is_refused = s->kind == TOUR_KIND_REFUSED;
	char size[32];

	size_text(size, sizeof(size), s->len);
	if (b->top > 150 && !b->follows)
		fprintf(f,
				"<text x=\"%u\" y=\"%u\" text-anchor=\"middle\" fill=\"#999\" "
				"font-size=\"16\">. . .</text>\n",
				left + BOX_WIDTH / 2, b->top - 14);
	fprintf(f,
			"<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"6\" fill=\"%s\" "
			"stroke=\"%s\" stroke-width=\"1.5\"%s/>\n"
			"<text x=\"%u\" y=\"%u\" font-weight=\"bold\">%s</text>\n"
			"<text x=\"%u\" y=\"%u\" text-anchor=\"end\" font-size=\"12\" "
			"fill=\"#555\">%s</text>\n"
			"<text x=\"%u\" y=\"%u\" font-size=\"12\" "
			"font-family=\"DejaVu Sans Mono, monospace\">0x%" PRIx64 "</text>\n",
			left, b->top, BOX_WIDTH, b->height, kinds[s->kind].fill,
			kinds[s->kind].line,
			is_refused && space == TOUR_SPACE_Z ? " stroke-dasharray=\"6 4\"" : "",
			left + 12, b->top + 22, s->name, left + BOX_WIDTH - 12, b->top + 22, size,
			left + 12, b->top + 44, s->at[space]);
	for (i = 0; i < d->nb_marks; i++)
		if (d->marks[i].span == b->span)
			mark(f, d, i, space, b);
}

/* A translation into the physical column, from either side. */
static void
line(FILE *f, const struct tour_drawing *d, enum tour_space from, const struct tour_box *a,
		const struct tour_box *y)
{
	const struct tour_span *s = &d->spans[a->span];
	int begin = columns[from].left + (from == TOUR_SPACE_X ? BOX_WIDTH : 0);
	int end = columns[TOUR_SPACE_Y].left + (from == TOUR_SPACE_X ? 0 : BOX_WIDTH);
	int from_y = a->top + 31, to_y = (y == NULL ? a->top : y->top) + 31;

	if (from == TOUR_SPACE_Z && s->kind == TOUR_KIND_REFUSED) {
		end = (begin + end) / 2;
		fprintf(f,
				"<path class=\"refused\" d=\"M%d %dH%dm-7 -7l14 14m0 -14l-14 14\" "
				"stroke=\"%s\" stroke-width=\"2.2\" fill=\"none\"/>\n",
				begin, from_y, end, kinds[s->kind].line);
		return;
	}
	if (y == NULL)
		return;
	fprintf(f,
			"<path d=\"M%d %dC%d %d %d %d %d %d\" stroke=\"%s\" stroke-width=\"1.8\" "
			"fill=\"none\" marker-end=\"url(#tip%u)\"/>\n",
			begin, from_y, (begin + end) / 2, from_y, (begin + end) / 2, to_y, end,
			to_y, kinds[s->kind].line, s->kind);
}

static void
legend(FILE *f, unsigned int top)
{
	unsigned int kind, left;

	for (kind = 0; kind < TOUR_NB_KINDS; kind++) {
		left = 150 + kind % 3 * 340;
		fprintf(f,
				"<rect x=\"%u\" y=\"%u\" width=\"22\" height=\"15\" rx=\"3\" fill=\"%s\" "
				"stroke=\"%s\" stroke-width=\"1.5\"/>\n"
				"<text x=\"%u\" y=\"%u\">%s</text>\n",
				left, top + kind / 3 * 28, kinds[kind].fill, kinds[kind].line,
				left + 32, top + 12 + kind / 3 * 28, kinds[kind].says);
	}
}

static const struct tour_box *
box_of(const struct tour_box *boxes, unsigned int nb, unsigned int span)
{
	unsigned int i;

	for (i = 0; i < nb; i++)
		if (boxes[i].span == span)
			return &boxes[i];
	return NULL;
}

/* What the picture says, for programs: a group for each mapping of the device. */
static void
mapping(FILE *f, const struct tour_span *s)
{
	if (s->kind != TOUR_KIND_READ && s->kind != TOUR_KIND_BOTH)
		return;
	fprintf(f,
			"<g class=\"mapping\" data-x=\"0x%" PRIx64 "\" data-y=\"0x%" PRIx64
			"\" data-z=\"0x%" PRIx64 "\" data-len=\"%" PRIu64
			"\" data-access=\"%s\"/>\n",
			s->at[TOUR_SPACE_X], s->at[TOUR_SPACE_Y], s->at[TOUR_SPACE_Z], s->len,
			s->kind == TOUR_KIND_READ ? "r" : "rw");
}

/* Boxes of all columns; the lower end of the lowest. */
static int
lay_out(const struct tour_drawing *d, struct tour_box *boxes[TOUR_NB_SPACES],
		unsigned int nb[TOUR_NB_SPACES], unsigned int *end)
{
	const struct tour_box *last;
	unsigned int s;

	*end = 0;
	for (s = 0; s < TOUR_NB_SPACES; s++) {
		boxes[s] = calloc(d->nb_spans + 1, sizeof(boxes[s][0]));
		if (boxes[s] == NULL)
			return -ENOMEM;
		nb[s] = tour_layout(d, s, boxes[s]);
		last = nb[s] == 0 ? NULL : &boxes[s][nb[s] - 1];
		if (last != NULL && last->top + last->height > *end)
			*end = last->top + last->height;
	}
	return 0;
}

static void
draw(FILE *f, const struct tour_drawing *d, struct tour_box *boxes[TOUR_NB_SPACES],
		const unsigned int nb[TOUR_NB_SPACES], unsigned int end)
{
	const struct tour_box *y;
	unsigned int s, i;

	begin(f, d, end + LEGEND_HEIGHT);
	column_heads(f, d, end);
	users(f, end);
	for (s = 0; s < TOUR_NB_SPACES; s++)
		for (i = 0; i < nb[s]; i++) {
			box(f, d, s, &boxes[s][i]);
			y = box_of(boxes[TOUR_SPACE_Y], nb[TOUR_SPACE_Y], boxes[s][i].span);
			if (s != TOUR_SPACE_Y)
				line(f, d, s, &boxes[s][i], y);
		}
	for (i = 0; i < d->nb_spans; i++)
		mapping(f, &d->spans[i]);
	legend(f, end + 38);
	fprintf(f, "</svg>\n");
}

int
tour_svg_write(FILE *f, const struct tour_drawing *d)
{
	struct tour_box *boxes[TOUR_NB_SPACES] = { NULL };
	unsigned int nb[TOUR_NB_SPACES], s, end;
	int ret = lay_out(d, boxes, nb, &end);

	if (ret == 0)
		draw(f, d, boxes, nb, end);
	for (s = 0; s < TOUR_NB_SPACES; s++)
		free(boxes[s]);
	return ret == 0 && ferror(f) ? -EIO : ret;
}
