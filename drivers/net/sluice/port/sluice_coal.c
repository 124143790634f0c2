/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * How long a device may put off its interrupts (NOTF_COAL, 5.1.6.5.10): told at each start, as the
 * device arguments say. A device that does not do it interrupts at once, and nothing else is
 * different; so nothing here fails a start.
 */

#include "sluice_log.h"
#include "sluice_port.h"

/* The commands of both directions (5.1.6.5.10). */
struct coal_config {
	uint32_t max_packets;
	uint32_t max_usecs;
};

static void
tell(struct sluice_port *port, uint8_t cmd, const char *direction,
		const struct sluice_coal_args *args)
{
	const struct coal_config config = { args->pkts, args->usecs };
	int ret;

	if (!sluice_coal_is_asked(args))
		return;
	ret = sluice_ctrl_command(port, SLUICE_CTRL_NOTF_COAL, cmd, &config, sizeof(config));
	if (ret != 0)
		SLUICE_LOG(WARNING,
				"%s: the device does not wait %u us or for %u packets to interrupt for "
				"%s queues: %s",
				port->label, config.max_usecs, config.max_packets, direction,
				sluice_ctrl_error(ret));
}

void
sluice_coal_tell(struct sluice_port *port)
{
	const struct sluice_args *args = &port->args;

	if ((port->features & SLUICE_BIT(SLUICE_NET_F_NOTF_COAL)) == 0)
		return;
	tell(port, SLUICE_CTRL_NOTF_COAL_RX_SET, "receive", &args->rx_coal);
	tell(port, SLUICE_CTRL_NOTF_COAL_TX_SET, "transmit", &args->tx_coal);
}
