/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <string.h>

#include <rte_common.h>

#include "sluice_port.h"
#include "sluice_filter.h"
#include "sluice_log.h"

/* Two lists, each behind its length (5.1.6.5.2). */
struct table {
	uint32_t len;
	uint8_t bytes[2 * sizeof(uint32_t) +
			(SLUICE_MACS_MAX + SLUICE_MULTICAST_MAX) * RTE_ETHER_ADDR_LEN];
};

static_assert(sizeof(((struct table *)NULL)->bytes) <= SLUICE_CTRL_DATA_MAX, "one command");

/* Can the device be told now? */
static bool
listens(const struct sluice_port *port, unsigned int feature)
{
	return port->ctrl.is_running && (port->features & SLUICE_BIT(feature)) != 0;
}

static int
tell(struct sluice_port *port, uint8_t class, uint8_t cmd, const void *data, size_t len,
		const char *what)
{
	int ret = sluice_ctrl_command(port, class, cmd, data, len);

	if (ret != 0)
		SLUICE_LOG(ERR, "%s: the device did not take %s: %s", port->label, what,
				sluice_ctrl_error(ret));
	return ret;
}

static int
send_promiscuous(struct sluice_port *port)
{
	uint8_t is_on = port->filter.is_promiscuous || port->filter.is_table_refused;

	if (!listens(port, SLUICE_NET_F_CTRL_RX))
		return 0;
	return tell(port, SLUICE_CTRL_RX, SLUICE_CTRL_RX_PROMISC, &is_on, sizeof(is_on),
			is_on ? "promiscuous mode" : "the end of promiscuous mode");
}

static int
send_all_multicast(struct sluice_port *port)
{
	const struct sluice_filter *f = &port->filter;
	uint8_t is_on = f->is_all_multicast || f->nb_multicast > SLUICE_MULTICAST_MAX;

	if (!listens(port, SLUICE_NET_F_CTRL_RX))
		return 0;
	return tell(port, SLUICE_CTRL_RX, SLUICE_CTRL_RX_ALLMULTI, &is_on, sizeof(is_on),
			is_on ? "all multicast" : "the end of all multicast");
}

static void
append_length(struct table *t, uint32_t nb)
{
	memcpy(&t->bytes[t->len], &nb, sizeof(nb));
	t->len += sizeof(nb);
}

static void
append(struct table *t, const struct rte_ether_addr *addr)
{
	memcpy(&t->bytes[t->len], addr->addr_bytes, RTE_ETHER_ADDR_LEN);
	t->len += RTE_ETHER_ADDR_LEN;
}

/*
 * Of what ethdev calls MAC addresses those of one kind; some applications add multicast ones there,
 * too. Returns how many; t: NULL, or where they go.
 */
static uint32_t
append_added(const struct sluice_port *port, struct table *t, bool is_multicast)
{
	/* A device that cannot be told the port's own address has it in the list. */
	uint32_t i = listens(port, SLUICE_NET_F_CTRL_MAC_ADDR) ? 1 : 0, nb = 0;

	for (; i < SLUICE_MACS_MAX; i++) {
		const struct rte_ether_addr *addr = &port->filter.added[i];

		if (rte_is_zero_ether_addr(addr) ||
				rte_is_multicast_ether_addr(addr) != is_multicast)
			continue;
		if (t != NULL)
			append(t, addr);
		nb++;
	}
	return nb;
}

static void
fill_table(const struct sluice_port *port, struct table *t)
{
	const struct sluice_filter *f = &port->filter;
	uint32_t nb_multi = f->nb_multicast <= SLUICE_MULTICAST_MAX ? f->nb_multicast : 0, i;

	t->len = 0;
	append_length(t, append_added(port, NULL, false));
	append_added(port, t, false);
	append_length(t, append_added(port, NULL, true) + nb_multi);
	append_added(port, t, true);
	for (i = 0; i < nb_multi; i++)
		append(t, &f->multicast[i]);
}

/* It says that it cannot: then it delivers everything, as long as it does not take the lists. */
static int
on_table(struct sluice_port *port, int ret)
{
	struct sluice_filter *f = &port->filter;
	bool is_refused = ret == -EIO, was_refused = f->is_table_refused;

	if (ret != 0 && !is_refused)
		return ret;
	f->is_table_refused = is_refused;
	if (is_refused == was_refused)
		return 0;
	ret = send_promiscuous(port);
	if (ret != 0) {
		f->is_table_refused = was_refused;
		return ret;
	}
	if (is_refused && !f->was_refusal_told) {
		f->was_refusal_told = true;
		SLUICE_LOG(NOTICE,
				"%s: the device does not take that many addresses: it is promiscuous until there "
				"are fewer",
				port->label);
	}
	return 0;
}

static int
send_table(struct sluice_port *port)
{
	struct table t;
	int ret;

	if (!listens(port, SLUICE_NET_F_CTRL_RX))
		return 0;
	fill_table(port, &t);
	ret = sluice_ctrl_command(port, SLUICE_CTRL_MAC, SLUICE_CTRL_MAC_TABLE_SET, t.bytes, t.len);
	if (ret != 0 && ret != -EIO)
		SLUICE_LOG(ERR, "%s: the device did not take the addresses: %s", port->label,
				sluice_ctrl_error(ret));
	return on_table(port, ret);
}

/* The port's own address. */
static int
send_mac(struct sluice_port *port)
{
	const struct rte_ether_addr *mac = &port->filter.added[0];

	if (port->transport->ops->set_mac != NULL)
		return port->transport->ops->set_mac(port->transport, mac->addr_bytes);
	if (!listens(port, SLUICE_NET_F_CTRL_MAC_ADDR))
		return send_table(port);
	return tell(port, SLUICE_CTRL_MAC, SLUICE_CTRL_MAC_ADDR_SET, mac->addr_bytes,
			RTE_ETHER_ADDR_LEN, "the MAC address");
}

static int
send_vlan(struct sluice_port *port, uint16_t id, bool is_on)
{
	if (!listens(port, SLUICE_NET_F_CTRL_VLAN))
		return 0;
	return tell(port, SLUICE_CTRL_VLAN, is_on ? SLUICE_CTRL_VLAN_ADD : SLUICE_CTRL_VLAN_DEL,
			&id, sizeof(id), "a VLAN");
}

#define LRO_OFFLOADS \
	(SLUICE_BIT(SLUICE_NET_F_GUEST_TSO4) | SLUICE_BIT(SLUICE_NET_F_GUEST_TSO6) | \
			SLUICE_BIT(SLUICE_NET_F_GUEST_ECN))

/* From its start on a device does all that was negotiated (5.1.6.5.7.1). */
static int
send_lro(struct sluice_port *port)
{
	bool is_off = port->filter.is_lro_off;
	uint64_t offloads = port->features &
			(SLUICE_BIT(SLUICE_NET_F_GUEST_CSUM) | (is_off ? 0 : LRO_OFFLOADS));

	if (!listens(port, SLUICE_NET_F_CTRL_GUEST_OFFLOADS))
		return 0;
	return tell(port, SLUICE_CTRL_GUEST_OFFLOADS, SLUICE_CTRL_GUEST_OFFLOADS_SET, &offloads,
			sizeof(offloads), is_off ? "the end of LRO" : "LRO");
}

/* A flag of port->filter, by the command that tells it. */
static int
set_flag(struct sluice_port *port, bool *flag, bool is_on, int (*send)(struct sluice_port *port))
{
	bool was_on = *flag;
	int ret;

	*flag = is_on;
	ret = send(port);
	if (ret != 0)
		*flag = was_on;
	return ret;
}

int
sluice_filter_set_promiscuous(struct sluice_port *port, bool is_on)
{
	return set_flag(port, &port->filter.is_promiscuous, is_on, send_promiscuous);
}

int
sluice_filter_set_all_multicast(struct sluice_port *port, bool is_on)
{
	return set_flag(port, &port->filter.is_all_multicast, is_on, send_all_multicast);
}

int
sluice_filter_set_lro(struct sluice_port *port, bool is_on)
{
	const sluice_features needed = SLUICE_BIT(SLUICE_NET_F_CTRL_VQ) |
			SLUICE_BIT(SLUICE_NET_F_CTRL_GUEST_OFFLOADS);

	if ((sluice_negotiable(port) & needed) != needed)
		return -ENOTSUP;
	return set_flag(port, &port->filter.is_lro_off, !is_on, send_lro);
}

int
sluice_filter_set_mac(struct sluice_port *port, uint32_t index, const struct rte_ether_addr *addr)
{
	static const struct rte_ether_addr none;
	struct rte_ether_addr *slot, before;
	int ret;

	if (index >= SLUICE_MACS_MAX)
		return -EINVAL;
	slot = &port->filter.added[index];
	before = *slot;
	*slot = addr == NULL ? none : *addr;
	ret = index == 0 ? send_mac(port) : send_table(port);
	if (ret != 0)
		*slot = before;
	return ret;
}

int
sluice_filter_set_multicast(
		struct sluice_port *port, const struct rte_ether_addr *addrs, uint32_t nb)
{
	struct sluice_filter *f = &port->filter;
	bool is_excess = nb > SLUICE_MULTICAST_MAX, was_excess;
	struct rte_ether_addr before[SLUICE_MULTICAST_MAX];
	uint32_t nb_before = f->nb_multicast;
	int ret;

	was_excess = nb_before > SLUICE_MULTICAST_MAX;
	memcpy(before, f->multicast, sizeof(before));
	if (nb != 0 && !is_excess)
		memcpy(f->multicast, addrs, nb * sizeof(addrs[0]));
	f->nb_multicast = nb;
	/* In the order in which a failure leaves too much, not too little. */
	ret = is_excess && !was_excess ? send_all_multicast(port) : 0;
	if (ret == 0)
		ret = send_table(port);
	if (ret == 0 && was_excess && !is_excess)
		ret = send_all_multicast(port);
	if (ret != 0) {
		memcpy(f->multicast, before, sizeof(before));
		f->nb_multicast = nb_before;
		return ret;
	}
	if (is_excess && !f->was_excess_told) {
		f->was_excess_told = true;
		SLUICE_LOG(NOTICE,
				"%s: %u multicast addresses, %u are kept: all multicast is received",
				port->label, nb, SLUICE_MULTICAST_MAX);
	}
	return 0;
}

int
sluice_filter_set_vlan(struct sluice_port *port, uint16_t id, bool is_on)
{
	uint64_t *word = &port->filter.vlans[id / 64], bit = 1ULL << id % 64;
	int ret = send_vlan(port, id, is_on);

	if (ret == 0)
		*word = is_on ? *word | bit : *word & ~bit;
	return ret;
}

static bool
has_addresses(const struct sluice_port *port)
{
	uint32_t i;

	for (i = 1; i < SLUICE_MACS_MAX; i++)
		if (!rte_is_zero_ether_addr(&port->filter.added[i]))
			return true;
	return port->filter.nb_multicast != 0;
}

/* A device knows the address that it told. */
static bool
has_own_address(const struct sluice_port *port)
{
	return !port->info.has_mac ||
			memcmp(port->info.mac, port->filter.added[0].addr_bytes,
					sizeof(port->info.mac)) != 0;
}

static int
apply_vlans(struct sluice_port *port)
{
	uint32_t id;
	int ret = 0;

	for (id = 0; ret == 0 && id < SLUICE_VLANS_MAX; id++)
		if (port->filter.vlans[id / 64] & 1ULL << id % 64)
			ret = send_vlan(port, id, true);
	return ret;
}

void
sluice_filter_apply(struct sluice_port *port)
{
	int ret = 0;

	/* Of an earlier device, or of this one before its reset. */
	port->filter.is_table_refused = false;
	if (has_own_address(port))
		ret = send_mac(port);
	if (ret == 0 && has_addresses(port))
		ret = send_table(port);
	if (ret == 0)
		ret = send_promiscuous(port);
	if (ret == 0)
		ret = send_all_multicast(port);
	if (ret == 0)
		ret = apply_vlans(port);
	if (ret == 0 && port->filter.is_lro_off)
		ret = send_lro(port);
	if (ret != 0)
		SLUICE_LOG(WARNING,
				"%s: the device does not filter as it was asked: it may deliver more packets, "
				"or fewer",
				port->label);
	/* Another one could, when it was switched. */
	if (port->filter.is_lro_off && (port->features & LRO_OFFLOADS) != 0 &&
			!listens(port, SLUICE_NET_F_CTRL_GUEST_OFFLOADS))
		SLUICE_LOG(WARNING,
				"%s: LRO is switched off, and this device cannot be told: large packets "
				"come; configure the port without RTE_ETH_RX_OFFLOAD_TCP_LRO",
				port->label);
}
