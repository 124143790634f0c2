/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Memory that the back end sees: as one table, or slot by slot.
 * Sections in brackets are those of QEMU docs/interop/vhost-user.rst.
 *
 * A slot goes and comes as a whole, and back ends refuse slots that overlap. While the rings run,
 * memory in use must not leave for a moment: a region that grew gets one more slot for the new
 * part, and a slot of which a part is still wanted stays. Before the rings run such slots are made
 * anew, so what is shown is exact again, in as few slots as can be.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sluice_log.h"
#include "vhost_user.h"

/*
 * A back end compares user addresses with those that it is told for the rings, and does nothing
 * else with them, so a device address does as well: a virtual one need not leave the process. Who
 * has GPA_ADDRESSES expects that, of regions and rings. It is the same without: there are back ends
 * that mean something else by that bit.
 */
static struct sluice_vu_region
wire_region(const struct dmap_region *r)
{
	return (struct sluice_vu_region){ .guest_addr = r->da.v,
		.size = r->len,
		.user_addr = r->da.v,
		.mmap_offset = r->fd_off };
}

static int
refuse(struct vhost_user *vu, unsigned int nb)
{
	if (!sluice_vu_is_told(vu, "regions", nb))
		SLUICE_LOG(ERR,
				"path=%s: rings and mempools lie in %u files (memory regions), the back "
				"end takes %u: use the EAL option --single-file-segments, larger huge "
				"pages, or smaller or (isolation=sealed) fewer mempools",
				vu->path, nb, vu->regions_max);
	return -ENOSPC;
}

/* The whole table in one message [SET_MEM_TABLE]. */
static int
send_table(struct vhost_user *vu, const struct dmap_region *regions, unsigned int nb)
{
	struct sluice_vu_msg msg = { .request = SLUICE_VU_SET_MEM_TABLE };
	int fds[SLUICE_VU_TABLE_MAX];
	unsigned int i;

	msg.table.nb = nb;
	for (i = 0; i < nb; i++) {
		msg.table.regions[i] = wire_region(&regions[i]);
		fds[i] = regions[i].fd;
	}
	msg.size = 8 + nb * sizeof(msg.table.regions[0]);
	return sluice_vu_request(vu, &msg, fds, nb);
}

/* The numbers of descriptors are used again, those of files that the back end has open are not. */
static void
identify(struct vu_slot *s)
{
	struct stat st;

	if (fstat(s->r.fd, &st) < 0)
		return;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
}

static bool
overlaps(const struct vu_slot *s, const struct vu_slot *wanted)
{
	return s->r.va < wanted->r.va + wanted->r.len && wanted->r.va < s->r.va + s->r.len;
}

/* Where they overlap, do they show the same memory at the same address? */
static bool
agrees(const struct vu_slot *s, const struct vu_slot *wanted)
{
	return s->dev == wanted->dev && s->ino == wanted->ino &&
			s->r.da.v - s->r.va == wanted->r.da.v - wanted->r.va &&
			s->r.fd_off - s->r.va == wanted->r.fd_off - wanted->r.va;
}

/* While the rings run a slot stays if any of it is wanted, before only if just that is. */
static bool
may_stay(const struct vhost_user *vu, const struct vu_slot *s, const struct vu_slot *wanted,
		unsigned int nb)
{
	bool is_used = false;
	unsigned int i;

	for (i = 0; i < nb; i++) {
		if (!overlaps(s, &wanted[i]))
			continue;
		if (!agrees(s, &wanted[i]))
			return false;
		is_used |= vu->is_running ||
				(s->r.va == wanted[i].r.va && s->r.len == wanted[i].r.len);
	}
	return is_used;
}

/*
 * The first part of r, from *at on, that no slot that stays has; *at moves behind it. False: there
 * is none. Slots are few, so nobody sorts them.
 */
static bool
next_gap(const struct vhost_user *vu, const struct vu_slot *r, uintptr_t *at, struct vu_slot *gap)
{
	uintptr_t end = r->r.va + r->r.len, lo = *at, hi = end;
	unsigned int i;

	for (i = 0; i < vu->nb_shown; i++) {
		const struct dmap_region *s = &vu->shown[i].r;

		if (!vu->shown[i].is_leaving && s->va <= lo && lo < s->va + s->len) {
			lo = s->va + s->len;
			i = -1; /* another one may begin here */
		}
	}
	if (lo >= end)
		return false;
	for (i = 0; i < vu->nb_shown; i++)
		if (!vu->shown[i].is_leaving && vu->shown[i].r.va > lo)
			hi = RTE_MIN(hi, vu->shown[i].r.va);
	*gap = *r;
	gap->r.va = lo;
	gap->r.len = hi - lo;
	gap->r.da.v += lo - r->r.va;
	gap->r.fd_off += lo - r->r.va;
	*at = hi;
	return true;
}

/* One region more or less [ADD_MEM_REG, REM_MEM_REG]. */
static int
send_slot(struct vhost_user *vu, enum sluice_vu_request what, const struct dmap_region *r)
{
	struct sluice_vu_msg msg = { .request = what, .size = sizeof(msg.slot) };

	msg.slot.region = wire_region(r);
	return sluice_vu_request(vu, &msg, &r->fd, what == SLUICE_VU_ADD_MEM_REG ? 1 : 0);
}

static int
remove_leaving(struct vhost_user *vu)
{
	unsigned int i = 0;
	int ret = 0;

	while (i < vu->nb_shown && ret == 0) {
		if (!vu->shown[i].is_leaving) {
			i++;
			continue;
		}
		ret = send_slot(vu, SLUICE_VU_REM_MEM_REG, &vu->shown[i].r);
		if (ret == 0)
			vu->shown[i] = vu->shown[--vu->nb_shown];
	}
	return ret;
}

/* What is noted is what the back end has accepted, also when it refuses in the middle. */
static int
add_gaps(struct vhost_user *vu, const struct vu_slot *wanted, unsigned int nb)
{
	struct vu_slot gap;
	uintptr_t at;
	unsigned int i;
	int ret;

	for (i = 0; i < nb; i++) {
		at = wanted[i].r.va;
		while (next_gap(vu, &wanted[i], &at, &gap)) {
			ret = send_slot(vu, SLUICE_VU_ADD_MEM_REG, &gap.r);
			if (ret != 0)
				return ret;
			vu->shown[vu->nb_shown++] = gap;
		}
	}
	return 0;
}

/* The differences between what is shown and what is wanted. What left goes first: it makes room. */
static int
send_slots(struct vhost_user *vu, const struct vu_slot *wanted, unsigned int nb)
{
	unsigned int i, nb_after = 0;
	struct vu_slot *grown, gap;
	uintptr_t at;
	int ret;

	for (i = 0; i < vu->nb_shown; i++) {
		vu->shown[i].is_leaving = !may_stay(vu, &vu->shown[i], wanted, nb);
		nb_after += !vu->shown[i].is_leaving;
	}
	for (i = 0; i < nb; i++)
		for (at = wanted[i].r.va; next_gap(vu, &wanted[i], &at, &gap);)
			nb_after++;
	if (nb_after > vu->regions_max)
		return refuse(vu, nb_after);
	/* One more: realloc() to nothing would free it. */
	grown = realloc(vu->shown, (vu->nb_shown + nb_after + 1) * sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	vu->shown = grown;
	ret = remove_leaving(vu);
	return ret != 0 ? ret : add_gaps(vu, wanted, nb);
}

static int
show_slots(struct vhost_user *vu, const struct dmap_region *regions, unsigned int nb)
{
	struct vu_slot *wanted = calloc(nb + 1, sizeof(*wanted));
	unsigned int i;
	int ret;

	if (wanted == NULL)
		return -ENOMEM;
	for (i = 0; i < nb; i++) {
		wanted[i].r = regions[i];
		identify(&wanted[i]);
	}
	ret = send_slots(vu, wanted, nb);
	free(wanted);
	return ret;
}

int
sluice_vu_show(struct sluice_transport *t, const struct dmap_region *regions, unsigned int nb)
{
	struct vhost_user *vu = sluice_vu_of(t);
	int ret = 0;

	if (vu->sock < 0)
		ret = -ENOTCONN;
	else if (nb > vu->regions_max)
		ret = refuse(vu, nb);
	else if (sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS))
		ret = show_slots(vu, regions, nb);
	else if (nb != 0)
		ret = send_table(vu, regions, nb);
	return ret;
}
