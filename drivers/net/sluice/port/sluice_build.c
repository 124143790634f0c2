/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

#include <rte_common.h>
#include <rte_jhash.h>
#include <rte_string_fns.h>
#include <rte_version.h>

#include "sluice_build.h"
#include "sluice_rxq.h"
#include "sluice_shared.h"
#include "sluice_spread.h"
#include "sluice_txq.h"

/* The note with this type in an object's notes; NULL: there is none. */
static const ElfW(Nhdr) * find_note(const char *at, size_t len)
{
	const ElfW(Nhdr) * note;
	size_t size;

	while (len >= sizeof(*note)) {
		note = (const void *)at;
		size = sizeof(*note) + RTE_ALIGN_CEIL((size_t)note->n_namesz, (size_t)4) +
				RTE_ALIGN_CEIL((size_t)note->n_descsz, (size_t)4);
		if (size > len)
			return NULL;
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == sizeof(ELF_NOTE_GNU))
			return note;
		at += size;
		len -= size;
	}
	return NULL;
}

static bool
holds(const struct dl_phdr_info *object, const void *address)
{
	uintptr_t at = (uintptr_t)address - object->dlpi_addr;
	unsigned int i;

	for (i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_LOAD &&
				at - object->dlpi_phdr[i].p_vaddr < object->dlpi_phdr[i].p_memsz)
			return true;
	return false;
}

static void
copy_id(struct sluice_build *b, const ElfW(Nhdr) * note)
{
	const char *id = (const char *)(note + 1) +
			RTE_ALIGN_CEIL((size_t)note->n_namesz, (size_t)4);

	b->id_len = RTE_MIN(note->n_descsz, sizeof(b->id));
	memcpy(b->id, id, b->id_len);
}

static int
look_at_object(struct dl_phdr_info *object, size_t size, void *arg)
{
	const ElfW(Nhdr) * note;
	unsigned int i;

	RTE_SET_USED(size);
	if (!holds(object, find_note))
		return 0;
	/* The program itself comes without a name. */
	for (i = 0; object->dlpi_name[0] != '\0' && i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];

		if (p->p_type != PT_NOTE)
			continue;
		note = find_note((const char *)(object->dlpi_addr + p->p_vaddr), p->p_memsz);
		if (note != NULL)
			copy_id(arg, note);
	}
	return 1;
}

void
sluice_build_get(struct sluice_build *b)
{
	const uint32_t places[] = {
		sizeof(struct sluice_shared),
		offsetof(struct sluice_shared, nb_failures),
		offsetof(struct sluice_shared, dma),
		sizeof(struct sluice_queue),
		offsetof(struct sluice_queue, stream),
		offsetof(struct sluice_queue, run),
		sizeof(struct sluice_rxq),
		offsetof(struct sluice_rxq, pool),
		sizeof(struct sluice_txq),
		offsetof(struct sluice_txq, few_free),
		sizeof(struct dmap_stream),
		sizeof(struct sluice_rss),
		sizeof(struct sluice_hand),
		RTE_MAX_ETHPORTS,
	};

	memset(b, 0, sizeof(*b));
	b->magic = SLUICE_BUILD_MAGIC;
	strlcpy(b->dpdk, rte_version(), sizeof(b->dpdk));
	b->layout = rte_jhash_32b(places, RTE_DIM(places), 0);
	dl_iterate_phdr(look_at_object, b);
}

const char *
sluice_build_differs(const struct sluice_build *a, const struct sluice_build *b)
{
	if (a->magic != b->magic)
		return "not a port of this driver";
	if (strncmp(a->dpdk, b->dpdk, sizeof(a->dpdk)) != 0)
		return "another DPDK";
	if (a->layout != b->layout || a->id_len != b->id_len ||
			memcmp(a->id, b->id, sizeof(a->id)) != 0)
		return "another build of the driver";
	return NULL;
}
