// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * An application that closes its port in the callback of the port's own event: starts port 0,
 * prints "up", and waits for a link change. Ends with 0, and "closed", if the port and its thread
 * are gone then.
 */
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "one_port.h"

#define DEADLINE_MS 10000

static int is_closed;

static int
on_link(uint16_t port_id, enum rte_eth_event_type event, void *arg, void *ret)
{
	RTE_SET_USED(event);
	RTE_SET_USED(arg);
	RTE_SET_USED(ret);
	if (rte_eth_dev_stop(port_id) == 0 && rte_eth_dev_close(port_id) == 0)
		__atomic_store_n(&is_closed, 1, __ATOMIC_RELEASE);
	return 0;
}

static int
start(void)
{
	return one_port_set_up(true) &&
					rte_eth_dev_callback_register(0, RTE_ETH_EVENT_INTR_LSC,
							on_link, NULL) == 0 ?
			rte_eth_dev_start(0) :
			-1;
}

static bool
is_over(void)
{
	return __atomic_load_n(&is_closed, __ATOMIC_ACQUIRE) && !rte_eth_dev_is_valid_port(0) &&
			!one_port_has_thread("sluice-0");
}

int
main(int argc, char **argv)
{
	unsigned int ms;

	if (rte_eal_init(argc, argv) < 0 || start() != 0 || !one_port_has_thread("sluice-0"))
		return 2;
	printf("up\n");
	fflush(stdout);
	for (ms = 0; !is_over() && ms < DEADLINE_MS; ms += 20)
		usleep(20000);
	if (!is_over())
		return 1;
	printf("closed\n");
	return rte_eal_cleanup() == 0 ? 0 : 3;
}
