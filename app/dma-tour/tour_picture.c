/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What the picture shows: the domain's regions, cut where physical memory does not go on. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_string_fns.h>

#include "tour.h"
#include "tour_svg.h"
#include "tour_trace.h"

static struct tour_span *
add_span(struct tour_drawing *d, const void *va, uint64_t z, uint64_t len, enum tour_kind kind)
{
	struct tour_span *grown = reallocarray(d->spans, d->nb_spans + 1, sizeof(*grown)), *s;
	uint64_t y = va == NULL ? 0 : tour_physical(va);

	if (grown == NULL)
		return NULL;
	d->spans = grown;
	s = &d->spans[d->nb_spans++];
	*s = (struct tour_span){ .len = len, .kind = kind };
	s->at[TOUR_SPACE_X] = (uintptr_t)va;
	s->at[TOUR_SPACE_Y] = y == 0 ? TOUR_NO_ADDRESS : y;
	s->at[TOUR_SPACE_Z] = z;
	return s;
}

static const char *
name_of(const struct tour_memory *m, uintptr_t va)
{
	uintptr_t off = va - (uintptr_t)m->shared.va;

	return off >= m->shared.len ? "packet pool" : off < TOUR_PAGE ? "commands" : "answers";
}

/* Bytes from va that are contiguous in physical memory, at most len. */
static uint64_t
contiguous(uintptr_t va, uint64_t len)
{
	uint64_t begin = tour_physical((const void *)va), n;

	for (n = TOUR_PAGE; n < len && begin != 0; n += TOUR_PAGE)
		if (tour_physical((const void *)(va + n)) != begin + n)
			break;
	return begin == 0 ? len : RTE_MIN(n, len);
}

static int
add_region(struct tour_drawing *d, const struct tour_memory *m, const struct dmap_region *r)
{
	bool is_read_only = (r->flags & DMAP_REGION_READ_ONLY) != 0;
	struct tour_span *s;
	uint64_t off, len;

	for (off = 0; off < r->len; off += len) {
		len = contiguous(r->va + off, r->len - off);
		s = add_span(d, (const void *)(r->va + off), r->da.v + off, len,
				is_read_only ? TOUR_KIND_READ : TOUR_KIND_BOTH);
		if (s == NULL)
			return -ENOMEM;
		strlcpy(s->name, name_of(m, r->va + off), sizeof(s->name));
		tour_fact(s->name,
				"X 0x%-12" PRIx64 " Y 0x%-12" PRIx64 " Z 0x%-12" PRIx64 " %6" PRIu64
				" bytes, %s",
				s->at[TOUR_SPACE_X],
				s->at[TOUR_SPACE_Y] == TOUR_NO_ADDRESS ? 0 : s->at[TOUR_SPACE_Y],
				s->at[TOUR_SPACE_Z], len, is_read_only ? "read" : "read, write");
	}
	return 0;
}

static int
add_regions(struct tour_drawing *d, const struct tour_memory *m)
{
	unsigned int nb = dmap_regions(m->domain, NULL, 0), i;
	struct dmap_region *r = calloc(nb + 1, sizeof(*r));
	int ret = r == NULL ? -ENOMEM : 0;

	if (ret == 0)
		nb = RTE_MIN(dmap_regions(m->domain, r, nb), nb);
	for (i = 0; i < nb && ret == 0; i++)
		ret = add_region(d, m, &r[i]);
	free(r);
	return ret;
}

/* A packet's buffer, within the piece of the pool that holds it. */
static void
add_mark(struct tour_drawing *d, const struct rte_mbuf *m, enum tour_kind kind, const char *name)
{
	uint64_t va = rte_pktmbuf_mtod(m, uintptr_t), len = m->buf_len - m->data_off;
	struct tour_mark *mark = &d->marks[d->nb_marks];
	unsigned int i;

	for (i = 0; i < d->nb_spans; i++) {
		const struct tour_span *s = &d->spans[i];

		if (va < s->at[TOUR_SPACE_X] || va - s->at[TOUR_SPACE_X] >= s->len)
			continue;
		*mark = (struct tour_mark){ .span = i, .kind = kind, .len = len };
		mark->offset = va - s->at[TOUR_SPACE_X];
		strlcpy(mark->name, name, sizeof(mark->name));
		d->nb_marks++;
		return;
	}
}

static int
add_others(struct tour_drawing *d, const struct tour *t)
{
	const struct tour_memory *m = &t->memory;
	struct tour_span *s = add_span(
			d, m->canary->addr, m->canary_da.v, TOUR_PAGE, TOUR_KIND_REFUSED);

	if (s == NULL)
		return -ENOMEM;
	strlcpy(s->name, "canary", sizeof(s->name));
	s = add_span(d, NULL, TOUR_NO_ADDRESS, EDU_BAR_LEN, TOUR_KIND_REGISTERS);
	if (s == NULL)
		return -ENOMEM;
	s->at[TOUR_SPACE_X] = (uintptr_t)edu_bar_va(t->edu);
	s->at[TOUR_SPACE_Y] = edu_bar_bus(t->edu);
	strlcpy(s->name, "registers, BAR 0", sizeof(s->name));
	return 0;
}

static int
write_file(const struct tour_drawing *d, const char *path)
{
	FILE *f = fopen(path, "we");
	int ret;

	if (f == NULL) {
		ret = -errno;
		tour_error("--svg %s: %s", path, strerror(-ret));
		return ret;
	}
	ret = tour_svg_write(f, d);
	if (fclose(f) != 0 || ret != 0) {
		tour_error("--svg %s: cannot be written", path);
		return -EIO;
	}
	tour_fact("picture", "%s", path);
	return 0;
}

int
tour_picture(struct tour *t, const char *file)
{
	const struct tour_memory *m = &t->memory;
	struct tour_mark marks[2];
	struct tour_drawing d = { .da_max = m->da_max.v, .marks = marks };
	int ret;

	tour_part("The address spaces");
	tour_say("Every DMA mapping of this process:");
	strlcpy(d.device, m->device, sizeof(d.device));
	ret = add_regions(&d, m);
	if (ret == 0)
		ret = add_others(&d, t);
	if (ret == 0) {
		add_mark(&d, m->out, TOUR_KIND_OUT, "packet out");
		add_mark(&d, m->in, TOUR_KIND_IN, "packet in");
		tour_check(dmap_vfio_verify(edu_memory(t->edu)) == 0,
				"%u entries of the IOMMU, %" PRIu64
				" bytes: the kernel counts as many entries",
				dmap_nb_maps(m->domain), dmap_bytes(m->domain));
		ret = file == NULL ? 0 : write_file(&d, file);
	}
	free(d.spans);
	return ret;
}
