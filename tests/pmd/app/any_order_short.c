/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Ports of any_order.c come and go; what the driver is short of meanwhile, and what it leaves.
 */

#include <dirent.h>
#include <dlfcn.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_memzone.h>

#include "any_order.h"

#define PORT_NAME "net_sluice0"
#define NB_TRIES 20

void
plug(const char *args)
{
	if (rte_eal_hotplug_add("vdev", PORT_NAME, args) != 0 ||
			rte_eth_dev_get_port_by_name(PORT_NAME, &port) != 0)
		fail("no port");
}

void
unplug(void)
{
	if (rte_eal_hotplug_remove("vdev", PORT_NAME) != 0)
		fail("it does not go");
}

void
try_plugs(const char *args)
{
	unsigned int i;

	for (i = 0; run_short(true) && i < NB_TRIES; i++)
		if (rte_eal_hotplug_add("vdev", PORT_NAME, args) == 0)
			unplug();
	run_short(false);
}

bool
run_short(bool is_so)
{
	int *is_on = dlsym(RTLD_DEFAULT, "shortage_on");

	if (is_on == NULL)
		return false;
	__atomic_store_n(is_on, is_so, __ATOMIC_RELEASE);
	return is_so;
}

unsigned int
nb_short(void)
{
	const unsigned int *nb = dlsym(RTLD_DEFAULT, "shortage_nb");

	return nb == NULL ? 0 : __atomic_load_n(nb, __ATOMIC_RELAXED);
}

static void
count_zone(const struct rte_memzone *zone, void *arg)
{
	unsigned int *nb = arg;

	RTE_SET_USED(zone);
	*nb += 1;
}

struct held
count_held(void)
{
	struct rte_malloc_socket_stats stats = { 0 };
	struct held held = { 0 };
	unsigned int socket;
	DIR *dir = opendir("/proc/self/fd");

	while (dir != NULL && readdir(dir) != NULL)
		held.nb_fds++;
	closedir(dir);
	for (socket = 0; socket < rte_socket_count(); socket++) {
		rte_malloc_get_socket_stats(rte_socket_id_by_idx(socket), &stats);
		held.nb_blocks += stats.alloc_count;
	}
	rte_memzone_walk(count_zone, &held.nb_zones);
	return held;
}

void
check_held(const struct held *before)
{
	struct held now = count_held();

	if (now.nb_fds > before->nb_fds || now.nb_blocks > before->nb_blocks ||
			now.nb_zones > before->nb_zones)
		fail("%u descriptors, %u blocks, %u memzones; there were %u, %u, %u before",
				now.nb_fds, now.nb_blocks, now.nb_zones, before->nb_fds,
				before->nb_blocks, before->nb_zones);
}
