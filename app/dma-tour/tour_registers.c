/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "tour.h"
#include "tour_trace.h"

#define LIVENESS 0x1234abcd
#define FACTORIAL_OF 10
#define FACTORIAL 3628800

static int
show_factorial(struct edu *e)
{
	unsigned int nb_reads;
	uint32_t status, result;
	int ret;

	edu_write(e, EDU_FACTORIAL, FACTORIAL_OF);
	status = edu_read(e, EDU_STATUS);
	ret = edu_wait_clear(e, EDU_STATUS, EDU_STATUS_COMPUTING, &nb_reads);
	if (ret != 0)
		return ret;
	result = edu_read(e, EDU_FACTORIAL);
	tour_say("A request without DMA: the factorial of %u.", FACTORIAL_OF);
	tour_phase(TOUR_REQUEST, "writel(10, regs + 0x08)", "%u into register 0x%02x", FACTORIAL_OF,
			EDU_FACTORIAL);
	tour_phase(TOUR_RESPONSE, NULL, "status 0x%02x: %s", status,
			status & EDU_STATUS_COMPUTING ? "the device computes" : "already done");
	tour_phase(TOUR_COMPLETE, "readl_poll_timeout()", "polling: bit 0 of the status is clear");
	tour_check(result == FACTORIAL, "register 0x%02x reads %u", EDU_FACTORIAL, result);
	return 0;
}

int
tour_registers(struct edu *e)
{
	uint32_t id = edu_read(e, EDU_ID), inverse;

	tour_part("The device and its registers");
	tour_fact("device", "%s, QEMU's edu, %04x:%04x", edu_name(e), EDU_VENDOR, EDU_DEVICE);
	tour_fact("BAR 0", "%u KiB at bus address C 0x%lx, for the CPU at virtual address A 0x%lx",
			EDU_BAR_LEN >> 10, (unsigned long)edu_bar_bus(e),
			(unsigned long)(uintptr_t)edu_bar_va(e));
	tour_kernel("pci_iomap(pdev, 0, 0), that is ioremap(); then readl(), writel()");
	tour_check((id & EDU_ID_MASK) == EDU_ID_VALUE, "identification 0x%08x: version %u.%u", id,
			id >> 24, id >> 16 & 0xff);
	edu_write(e, EDU_LIVENESS, LIVENESS);
	inverse = edu_read(e, EDU_LIVENESS);
	tour_check(inverse == ~(uint32_t)LIVENESS,
			"liveness: 0x%08x written, 0x%08x read: inverted", LIVENESS, inverse);
	tour_fact("DMA registers",
			"source 0x%02x, destination 0x%02x, count 0x%02x, command 0x%02x: start 0x%x,\n"
			"to memory 0x%x, interrupt 0x%x; its buffer has address 0x%x",
			EDU_DMA_SRC, EDU_DMA_DST, EDU_DMA_LEN, EDU_DMA_CMD, EDU_CMD_START,
			EDU_CMD_TO_MEMORY, EDU_CMD_IRQ, EDU_BUFFER);
	return show_factorial(e);
}
