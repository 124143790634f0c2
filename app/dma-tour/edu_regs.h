/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Registers of QEMU's edu device, by docs/specs/edu.txt of QEMU 7.2. */

#ifndef EDU_REGS_H
#define EDU_REGS_H

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define EDU_BAR 0
#define EDU_BAR_LEN 0x100000

/* Below 0x80 registers have 32 bits, from there on 64. */
#define EDU_ID 0x00 /* 0xRRrr00ed: major and minor version */
#define EDU_ID_MASK 0xffff
#define EDU_ID_VALUE 0x00ed
#define EDU_LIVENESS 0x04 /* reads as the inversion of what was written */
#define EDU_FACTORIAL 0x08
#define EDU_STATUS 0x20
#define EDU_STATUS_COMPUTING 0x01
#define EDU_IRQ_STATUS 0x24
#define EDU_IRQ_ACK 0x64
#define EDU_IRQ_DMA 0x100
#define EDU_DMA_SRC 0x80
#define EDU_DMA_DST 0x88
#define EDU_DMA_LEN 0x90
#define EDU_DMA_CMD 0x98
#define EDU_CMD_START 0x1
#define EDU_CMD_TO_MEMORY 0x2
#define EDU_CMD_IRQ 0x4

/*
 * The device's own memory, in addresses of its DMA registers. A transfer must end before the last
 * byte: QEMU 7.2 takes one that reaches it for out of bounds, and ends.
 */
#define EDU_BUFFER 0x40000
#define EDU_BUFFER_LEN 4095

#endif /* EDU_REGS_H */
