/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A device, or a driver with a mistake, that asks for memory which is not mapped. Each refused
 * transfer stands beside the same one that passes, so that nothing else can be the reason.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <rte_atomic.h>

#include "tour.h"
#include "tour_kmsg.h"
#include "tour_trace.h"

#define SHOT 256
#define SECRET 0x5e
#define PATTERN 9

int
tour_shoot(struct tour *t, const struct edu_transfer *x)
{
	unsigned int nb_reads;
	int ret;

	edu_request(t->edu, x);
	ret = edu_wait_clear(t->edu, EDU_DMA_CMD, EDU_CMD_START, &nb_reads);
	if (ret != 0)
		return ret;
	rte_io_rmb();
	t->nb_transfers++;
	tour_fact("transfer", "%u bytes %s Z 0x%" PRIx64 ": the device says that it is done",
			x->len, x->is_to_memory ? "device -> memory," : "memory -> device,",
			x->memory.v);
	return 0;
}

static int
device_to(struct tour *t, uint64_t da)
{
	const struct edu_transfer x = { .memory = { da }, .len = SHOT, .is_to_memory = true };

	return tour_shoot(t, &x);
}

static int
to_device(struct tour *t, uint64_t da)
{
	const struct edu_transfer x = { .memory = { da }, .len = SHOT };

	return tour_shoot(t, &x);
}

/* The pattern into the device, by way of the page of commands. */
static int
load(struct tour *t)
{
	tour_fill(tour_commands(&t->memory), SHOT, PATTERN);
	return to_device(t, t->memory.shared.da.v);
}

/* What the device holds, into the page of answers. */
static int
unload(struct tour *t)
{
	memset(tour_answers(&t->memory), TOUR_UNTOUCHED, SHOT);
	return device_to(t, t->memory.shared.da.v + TOUR_PAGE);
}

/* What the kernel says about the transfer that was just refused. */
static void
tell_fault(struct tour *t, uint64_t da)
{
	char text[512];

	if (tour_kmsg_find(t->kmsg, t->memory.device, da, text, sizeof(text)))
		tour_fact("kernel's log", "%s", text);
	else
		tour_fact("kernel's log", "%s",
				t->kmsg < 0 ? "not readable for this user (dmesg)" :
					      "no message came");
}

static int
show_control(struct tour *t)
{
	struct tour_memory *m = &t->memory;
	int ret;

	tour_say("Positive control: the page is mapped, at an address of the application's choice.");
	ret = dmap_add_external(m->domain, m->canary->addr, m->canary_da, TOUR_PAGE);
	if (ret != 0)
		return ret;
	tour_tell_addresses(
			"canary", m->canary->addr, m->canary_da, TOUR_PAGE, "device reads, writes");
	tour_kernel("dma_map_page(dev, page, 0, 4096, DMA_BIDIRECTIONAL)");
	memset(m->canary->addr, TOUR_UNTOUCHED, TOUR_PAGE);
	ret = load(t);
	if (ret == 0)
		ret = device_to(t, m->canary_da.v);
	if (ret != 0)
		return ret;
	tour_check(tour_is_filled(m->canary->addr, SHOT, PATTERN), "the write changed the page");
	memset(m->canary->addr, SECRET, TOUR_PAGE);
	ret = to_device(t, m->canary_da.v);
	if (ret == 0)
		ret = unload(t);
	if (ret == 0)
		tour_check(tour_is_all(tour_answers(m), SHOT, SECRET),
				"the read brought the page's bytes into the device");
	return ret;
}

static unsigned int
count(const char *buf, uint32_t len, char byte)
{
	unsigned int nb = 0;

	while (len-- > 0)
		nb += buf[len] == byte;
	return nb;
}

static int
show_unmapped(struct tour *t)
{
	struct tour_memory *m = &t->memory;
	unsigned int nb_leaked;
	int ret;

	tour_say("Unmapped: the same transfers to the same address.");
	ret = dmap_del_external(m->domain, m->canary->addr, TOUR_PAGE);
	if (ret != 0)
		return ret;
	tour_kernel("dma_unmap_page(dev, z, 4096, DMA_BIDIRECTIONAL)");
	ret = load(t);
	if (ret == 0)
		ret = device_to(t, m->canary_da.v);
	if (ret != 0)
		return ret;
	t->nb_refused += tour_check(tour_is_all(m->canary->addr, TOUR_PAGE, SECRET),
			"write refused: the canary is untouched");
	tell_fault(t, m->canary_da.v);
	ret = to_device(t, m->canary_da.v);
	if (ret == 0)
		tell_fault(t, m->canary_da.v);
	if (ret == 0)
		ret = unload(t);
	if (ret != 0)
		return ret;
	nb_leaked = count(tour_answers(m), SHOT, (char)SECRET);
	t->nb_refused += tour_check(nb_leaked == 0,
			"read refused: %u of %u bytes came into the device", nb_leaked, SHOT);
	return 0;
}

static int
show_read_only(struct tour *t)
{
	struct tour_memory *m = &t->memory;
	int ret;

	tour_say("Mapped for reading only: the page of commands, which all transfers above read.");
	/*
	 * Mapped anew: QEMU's IOMMU remembers translations that were used for reading, and refuses
	 * a write by such a one without telling anybody.
	 */
	ret = tour_memory_protect(m);
	if (ret != 0)
		return ret;
	/* Something that the device does not hold. */
	tour_fill(tour_commands(m), SHOT, PATTERN + 1);
	ret = device_to(t, m->shared.da.v);
	if (ret != 0)
		return ret;
	t->nb_refused += tour_check(tour_is_filled(tour_commands(m), SHOT, PATTERN + 1),
			"write refused: the page is untouched");
	tell_fault(t, m->shared.da.v);
	return 0;
}

int
tour_refusals(struct tour *t)
{
	struct tour_memory *m = &t->memory;
	struct dmap_window w;
	int ret;

	m->canary_da.v = RTE_MIN(m->da_max.v, UINT32_MAX) / 2 + 1;
	tour_part("What is not mapped");
	tour_say("The canary: a page of this process that the device has no business with.");
	tour_check(dmap_lookup(m->domain, m->canary->addr, TOUR_PAGE, &w) == -ENOENT,
			"dmap_lookup() has no device address for X 0x%" PRIxPTR
			": a correct driver stops here",
			(uintptr_t)m->canary->addr);
	ret = show_control(t);
	if (ret == 0)
		ret = show_unmapped(t);
	if (ret == 0)
		ret = show_read_only(t);
	if (ret == 0)
		tour_say("How a program can tell: edu has no error register, and its command register says\n"
			 "done as after every transfer. So a driver compares what came with what must\n"
			 "have come; the IOMMU tells the kernel, and the kernel its log.");
	return ret;
}
