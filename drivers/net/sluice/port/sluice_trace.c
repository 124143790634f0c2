/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Before the points: then what follows registers them. */
#include <rte_trace_point_register.h>

#include "sluice_trace.h"

RTE_TRACE_POINT_REGISTER(sluice_trace_start, pmd.net.sluice.start)
RTE_TRACE_POINT_REGISTER(sluice_trace_stop, pmd.net.sluice.stop)
RTE_TRACE_POINT_REGISTER(sluice_trace_connect, pmd.net.sluice.connect)
RTE_TRACE_POINT_REGISTER(sluice_trace_disconnect, pmd.net.sluice.disconnect)
RTE_TRACE_POINT_REGISTER(sluice_trace_live, pmd.net.sluice.live)
RTE_TRACE_POINT_REGISTER(sluice_trace_failure, pmd.net.sluice.failure)
RTE_TRACE_POINT_REGISTER(sluice_trace_command, pmd.net.sluice.command)
