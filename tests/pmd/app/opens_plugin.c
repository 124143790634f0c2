// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * A program that opens the plug-in (argv[2]) by itself, when argv[1] says: "before" EAL starts,
 * "after" that, or "closed", before and closed again at once. Then it attaches the port argv[3],
 * and starts and closes it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_eal.h>

#include "one_port.h"

static void *
open_plugin(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW);

	if (plugin == NULL)
		fprintf(stderr, "%s\n", dlerror());
	return plugin;
}

int
main(int argc, char **argv)
{
	struct rte_eth_dev_info info;
	void *plugin = NULL;
	bool is_late;

	if (argc < 4)
		return 2;
	is_late = strcmp(argv[1], "after") == 0;
	if (!is_late && (plugin = open_plugin(argv[2])) == NULL)
		return 2;
	if (strcmp(argv[1], "closed") == 0)
		dlclose(plugin);
	if (rte_eal_init(argc - 3, argv + 3) < 0)
		return 3;
	if (is_late && open_plugin(argv[2]) == NULL)
		return 2;
	if (rte_dev_probe(argv[3]) != 0 || rte_eth_dev_info_get(0, &info) != 0)
		return 4;
	printf("port of %s\n", info.driver_name);
	if (!one_port_set_up(false) || rte_eth_dev_start(0) != 0)
		return 5;
	printf("started\n");
	fflush(stdout);
	if (rte_eth_dev_stop(0) != 0 || rte_eth_dev_close(0) != 0)
		return 6;
	return rte_eal_cleanup() == 0 ? 0 : 7;
}
