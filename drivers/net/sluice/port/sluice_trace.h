/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Trace points of the control side, "pmd.net.sluice.*" (EAL: --trace). There is none in a burst.
 */

#ifndef SLUICE_TRACE_H
#define SLUICE_TRACE_H

#include <rte_trace_point.h>

/* The application starts or stops the port; whatever comes of it. */
RTE_TRACE_POINT(sluice_trace_start, RTE_TRACE_POINT_ARGS(uint16_t port_id),
		rte_trace_point_emit_u16(port_id);)

RTE_TRACE_POINT(sluice_trace_stop, RTE_TRACE_POINT_ARGS(uint16_t port_id),
		rte_trace_point_emit_u16(port_id);)

/* A device is connected and taken; offered: its features, 0 to 63. */
RTE_TRACE_POINT(sluice_trace_connect, RTE_TRACE_POINT_ARGS(uint16_t port_id, uint64_t offered),
		rte_trace_point_emit_u16(port_id);
		rte_trace_point_emit_u64(offered);)

/* It went away, or was let go. */
RTE_TRACE_POINT(sluice_trace_disconnect, RTE_TRACE_POINT_ARGS(uint16_t port_id),
		rte_trace_point_emit_u16(port_id);)

/* It runs the rings with these features (0 to 63), and these burst functions work on them. */
RTE_TRACE_POINT(sluice_trace_live,
		RTE_TRACE_POINT_ARGS(uint16_t port_id, uint64_t features, const char *rx_path,
				const char *tx_path),
		rte_trace_point_emit_u16(port_id);
		rte_trace_point_emit_u64(features); rte_trace_point_emit_string(rx_path);
		rte_trace_point_emit_string(tx_path);)

/* It broke the rules, or says that it is in trouble. */
RTE_TRACE_POINT(sluice_trace_failure, RTE_TRACE_POINT_ARGS(uint16_t port_id, const char *why),
		rte_trace_point_emit_u16(port_id);
		rte_trace_point_emit_string(why);)

/* A command on the control queue, and what became of it (sluice_ctrl_command()). */
RTE_TRACE_POINT(sluice_trace_command,
		RTE_TRACE_POINT_ARGS(uint16_t port_id, uint8_t class, uint8_t cmd, int ret),
		rte_trace_point_emit_u16(port_id);
		rte_trace_point_emit_u8(class); rte_trace_point_emit_u8(cmd);
		rte_trace_point_emit_int(ret);)

/* Makes the points known to EAL. Once, from a constructor, so that EAL's options find them. */
void sluice_trace_register(void);

#endif /* SLUICE_TRACE_H */
