/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "sluice_path.h"

static bool
has(uint64_t features, unsigned int bit)
{
	return (features & SLUICE_BIT(bit)) != 0;
}

static enum sluice_layout
layout_of(uint64_t features)
{
	return has(features, SLUICE_F_RING_PACKED) ? SLUICE_PACKED : SLUICE_SPLIT;
}

const struct sluice_rx_path *
sluice_rx_path_select(uint64_t features)
{
	const struct sluice_rx_path *p;

	for (p = sluice_rx_paths; p < sluice_rx_paths + sluice_nb_rx_paths; p++)
		if (p->cfg.layout == layout_of(features) &&
				p->cfg.has_mrg == has(features, SLUICE_NET_F_MRG_RXBUF))
			return p;
	return sluice_rx_paths; /* not reached: the table has all combinations, see the unit tests */
}

const struct sluice_tx_path *
sluice_tx_path_select(uint64_t features)
{
	const struct sluice_tx_path *p;

	for (p = sluice_tx_paths; p < sluice_tx_paths + sluice_nb_tx_paths; p++)
		if (p->cfg.layout == layout_of(features) &&
				p->cfg.is_in_order == has(features, SLUICE_F_IN_ORDER))
			return p;
	return sluice_tx_paths; /* not reached, as above */
}
