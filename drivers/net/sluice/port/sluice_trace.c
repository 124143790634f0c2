/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Before the points: then what follows registers them. */
#include <rte_trace_point_register.h>

#include "sluice_trace.h"

/* The macro makes a constructor for each point; here they are functions, which one of us calls. */
#undef RTE_INIT
#define RTE_INIT(name) static void name(void)

RTE_TRACE_POINT_REGISTER(sluice_trace_start, pmd.net.sluice.start)
RTE_TRACE_POINT_REGISTER(sluice_trace_stop, pmd.net.sluice.stop)
RTE_TRACE_POINT_REGISTER(sluice_trace_connect, pmd.net.sluice.connect)
RTE_TRACE_POINT_REGISTER(sluice_trace_disconnect, pmd.net.sluice.disconnect)
RTE_TRACE_POINT_REGISTER(sluice_trace_live, pmd.net.sluice.live)
RTE_TRACE_POINT_REGISTER(sluice_trace_failure, pmd.net.sluice.failure)
RTE_TRACE_POINT_REGISTER(sluice_trace_command, pmd.net.sluice.command)

void
sluice_trace_register(void)
{
	/* EAL ends when two points have one name: another copy of the plug-in was here first. */
	if (rte_trace_point_lookup("pmd.net.sluice.start") != NULL)
		return;
	sluice_trace_start_init();
	sluice_trace_stop_init();
	sluice_trace_connect_init();
	sluice_trace_disconnect_init();
	sluice_trace_live_init();
	sluice_trace_failure_init();
	sluice_trace_command_init();
}
