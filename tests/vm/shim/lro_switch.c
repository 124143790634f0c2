/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * rte_pmd_sluice_lro_set() for testpmd, which does not know it: what "set link-up port N" and "set
 * link-down port N" call. The plug-in was loaded by EAL.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

int rte_eth_dev_set_link_up(uint16_t port_id);
int rte_eth_dev_set_link_down(uint16_t port_id);

static int
lro_set(uint16_t port_id, int is_on)
{
	int (*set)(uint16_t port_id, int is_on);
	void *plugin = dlopen("librte_net_sluice.so", RTLD_NOW | RTLD_NOLOAD);

	if (plugin == NULL)
		abort();
	*(void **)&set = dlsym(plugin, "rte_pmd_sluice_lro_set");
	if (set == NULL)
		abort();
	return set(port_id, is_on);
}

int
rte_eth_dev_set_link_up(uint16_t port_id)
{
	return lro_set(port_id, 1);
}

int
rte_eth_dev_set_link_down(uint16_t port_id)
{
	return lro_set(port_id, 0);
}
