/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Memory that the back end sees: as one table, or slot by slot.
 * Sections in brackets are those of QEMU docs/interop/vhost-user.rst.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sluice_log.h"
#include "vhost_user.h"

static struct sluice_vu_region
wire_region(const struct dmap_region *r)
{
	return (struct sluice_vu_region){
		.guest_addr = r->da.v, .size = r->len, .user_addr = r->va, .mmap_offset = r->fd_off
	};
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

static bool
is_in(const struct dmap_region *r, const struct dmap_region *set, unsigned int nb)
{
	unsigned int i;

	for (i = 0; i < nb; i++)
		if (r->va == set[i].va && r->len == set[i].len && r->da.v == set[i].da.v &&
				r->fd == set[i].fd && r->fd_off == set[i].fd_off)
			return true;
	return false;
}

/* One region more or less [ADD_MEM_REG, REM_MEM_REG]. */
static int
send_slot(struct vhost_user *vu, enum sluice_vu_request what, const struct dmap_region *r)
{
	struct sluice_vu_msg msg = { .request = what, .size = sizeof(msg.slot) };

	msg.slot.region = wire_region(r);
	return sluice_vu_request(vu, &msg, &r->fd, what == SLUICE_VU_ADD_MEM_REG ? 1 : 0);
}

/*
 * The differences between two tables. What left goes before what is new comes, because back ends refuse regions
 * that overlap: one that grew is out of reach between the two messages.
 */
static int
send_slots(struct vhost_user *vu, const struct dmap_region *regions, unsigned int nb)
{
	struct dmap_region *copy = NULL;
	unsigned int i;
	int ret = 0;

	if (nb != 0) {
		copy = malloc(nb * sizeof(*copy));
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, regions, nb * sizeof(*copy));
	}
	for (i = 0; i < vu->nb_shown && ret == 0; i++)
		if (!is_in(&vu->shown[i], regions, nb))
			ret = send_slot(vu, SLUICE_VU_REM_MEM_REG, &vu->shown[i]);
	for (i = 0; i < nb && ret == 0; i++)
		if (!is_in(&regions[i], vu->shown, vu->nb_shown))
			ret = send_slot(vu, SLUICE_VU_ADD_MEM_REG, &regions[i]);
	if (ret != 0) {
		free(copy);
		return ret;
	}
	free(vu->shown);
	vu->shown = copy;
	vu->nb_shown = nb;
	return 0;
}

int
sluice_vu_publish(struct sluice_transport *t, const struct dmap_region *regions, unsigned int nb)
{
	struct vhost_user *vu = sluice_vu_of(t);
	int ret = 0;

	if (vu->sock < 0)
		return 0;
	if (nb > vu->regions_max) {
		SLUICE_LOG(ERR,
				"path=%s: rings and mempools lie in %u files (memory regions), the back end "
				"takes %u: use the EAL option --single-file-segments, larger huge pages or "
				"smaller mempools",
				vu->path, nb, vu->regions_max);
		ret = -ENOSPC;
	} else if (sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
		ret = send_slots(vu, regions, nb);
	} else if (nb != 0) {
		ret = send_table(vu, regions, nb);
	}
	return ret;
}
