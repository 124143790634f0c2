// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * An application that ends EAL while its port is started, and lives on: starts port 0, prints "up",
 * cleans up, prints "clean", and goes on for a second, in which its back end may end or its device
 * may do what it likes. Ends with 0 if the port's thread ended with the port.
 */
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "one_port.h"

static void
say(const char *what)
{
	printf("%s\n", what);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	unsigned int i;

	if (rte_eal_init(argc, argv) < 0 || !one_port_set_up(false) || rte_eth_dev_start(0) != 0 ||
			!one_port_has_thread("sluice-0"))
		return 2;
	say("up");
	if (rte_eal_cleanup() != 0)
		return 3;
	if (one_port_has_thread("sluice-0"))
		return 4;
	say("clean");
	for (i = 0; i < 100; i++)
		usleep(10000);
	say("alive");
	return 0;
}
