/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * ethdev's operations on packet types. They cost a look at the headers of each packet, which nobody
 * shall pay who does not use them. ethdev's contract is that a type which is said to be known is
 * told from then on; so they are told since an application asked which are known, unless it says by
 * rte_eth_dev_set_ptypes() what it wants.
 */

#include <rte_mbuf_ptype.h>

#include "sluice_ethdev.h"
#include "sluice_life.h"
#include "sluice_ptype.h"

/* The burst functions follow at once, if there are any. */
static void
tell(struct rte_eth_dev *dev, uint32_t families, bool is_said)
{
	struct sluice_port *port = sluice_port_of(dev);

	sluice_life_lock(port, SLUICE_LOCK_MS);
	if (is_said || !port->are_ptypes_said) {
		port->are_ptypes_said |= is_said;
		port->ptypes = families & SLUICE_PTYPE_FAMILIES;
		if (dev->data->dev_started)
			port->events->paths_chosen(port);
	}
	pthread_mutex_unlock(&port->lock);
}

const uint32_t *
sluice_supported_ptypes_get(struct rte_eth_dev *dev, size_t *nb)
{
	static const uint32_t types[] = {
		RTE_PTYPE_L2_ETHER, RTE_PTYPE_L2_ETHER_VLAN, RTE_PTYPE_L2_ETHER_QINQ,
		RTE_PTYPE_L3_IPV4, RTE_PTYPE_L3_IPV4_EXT, RTE_PTYPE_L3_IPV6, RTE_PTYPE_L3_IPV6_EXT,
		RTE_PTYPE_L4_TCP, RTE_PTYPE_L4_UDP, RTE_PTYPE_L4_SCTP, RTE_PTYPE_L4_FRAG,
		RTE_PTYPE_UNKNOWN, /* the end, in older releases */
	};

	tell(dev, SLUICE_PTYPE_FAMILIES, false);
	*nb = RTE_DIM(types) - 1;
	return types;
}

int
sluice_ptypes_set(struct rte_eth_dev *dev, uint32_t families)
{
	tell(dev, families, true);
	return 0;
}
