/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <rte_common.h>
#include <rte_ether.h>
#include <rte_kvargs.h>
#include <rte_string_fns.h>

#include "sluice_args.h"
#include "sluice_log.h"
#include "sluice_spec.h"

/*
 * Rings of a PCI device that may have more pairs than anybody uses are made for so many, unless
 * asked.
 */
#define QUEUES_PCI 16
#define QUEUE_SIZE_MIN 4
#define SPEED_MAX 0x7fffffff /* virtio 1.3, 5.1.4: more means unknown */
#define COAL_MAX INT32_MAX
#define BUSY_POLL_MAX 1000 /* us, for which a ring that is taken back may have to be waited for */

/* Parse a decimal number in [min, max]. */
static int
parse_number(const char *value, uint32_t min, uint32_t max, uint32_t *out)
{
	unsigned long long n;
	char *end;

	if (value == NULL || value[0] < '0' || value[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(value, &end, 10);
	if (errno != 0 || *end != '\0' || n < min || n > max)
		return -EINVAL;
	*out = n;
	return 0;
}

static int
parse_flag(const char *value, bool *out)
{
	uint32_t n;
	int ret = parse_number(value, 0, 1, &n);

	if (ret == 0)
		*out = n != 0;
	return ret;
}

static int
parse_number16(const char *value, uint32_t min, uint32_t max, uint16_t *out)
{
	uint32_t n;
	int ret = parse_number(value, min, max, &n);

	if (ret == 0)
		*out = n;
	return ret;
}

static int
set_path(struct sluice_args *args, const char *value)
{
	if (value[0] == '\0' ||
			strlcpy(args->path, value, sizeof(args->path)) >= sizeof(args->path))
		return -EINVAL;
	return 0;
}

/* What the kernel takes for the name of an interface. */
static int
set_iface(struct sluice_args *args, const char *value)
{
	if (value[0] == '\0' || value[0] == '.' || strpbrk(value, "/: \t\n") != NULL ||
			strlcpy(args->iface, value, sizeof(args->iface)) >= sizeof(args->iface))
		return -EINVAL;
	args->has_iface = true;
	return 0;
}

static int
set_queues(struct sluice_args *args, const char *value)
{
	args->has_pairs = true;
	return parse_number16(value, 1, SLUICE_PAIRS_MAX, &args->nb_pairs);
}

static int
set_queue_size(struct sluice_args *args, const char *value)
{
	args->has_queue_size = true;
	return parse_number16(value, QUEUE_SIZE_MIN, SLUICE_QUEUE_SIZE_MAX, &args->queue_size);
}

static int
set_mac(struct sluice_args *args, const char *value)
{
	struct rte_ether_addr addr;

	if (rte_ether_unformat_addr(value, &addr) != 0 || !rte_is_valid_assigned_ether_addr(&addr))
		return -EINVAL;
	memcpy(args->mac, addr.addr_bytes, sizeof(args->mac));
	args->has_mac = true;
	return 0;
}

static int
set_server(struct sluice_args *args, const char *value)
{
	return parse_flag(value, &args->is_server);
}

/* Octal, as chmod has it. */
static int
set_socket_mode(struct sluice_args *args, const char *value)
{
	size_t len = strlen(value);
	unsigned long mode = strtoul(value, NULL, 8);

	if (len == 0 || len > 5 || strspn(value, "01234567") != len || mode > 0777)
		return -EINVAL;
	args->has_socket_mode = true;
	args->socket_mode = mode;
	return 0;
}

static int
set_socket_group(struct sluice_args *args, const char *value)
{
	uint32_t gid;

	if (parse_number(value, 0, INT32_MAX, &gid) != 0 &&
			(value[0] == '\0' || sluice_args_find_group(value, &gid) != 0))
		return -EINVAL;
	args->socket_group = gid;
	args->has_socket_group = true;
	return 0;
}

static int
set_packed_vq(struct sluice_args *args, const char *value)
{
	args->has_packed = true;
	return parse_flag(value, &args->is_packed);
}

static int
set_in_order(struct sluice_args *args, const char *value)
{
	args->has_in_order = true;
	return parse_flag(value, &args->is_in_order);
}

/* Those that only parse a value into a field. */
#define SETTER(key, parse) \
	static int set_##key(struct sluice_args *args, const char *value) \
	{ \
		return parse; \
	}
SETTER(mrg_rxbuf, parse_flag(value, &args->has_mrg))
SETTER(vectorized, parse_flag(value, &args->is_vectorized))
SETTER(csum, parse_flag(value, &args->has_csum))
SETTER(complete_csum, parse_flag(value, &args->completes_csum))
SETTER(tso, parse_flag(value, &args->has_tso))
SETTER(lro, parse_flag(value, &args->has_lro))
SETTER(speed, parse_number(value, 0, SPEED_MAX, &args->speed))
SETTER(busy_poll_us, parse_number16(value, 0, BUSY_POLL_MAX, &args->busy_poll_us))
SETTER(bounce, parse_flag(value, &args->bounces))
SETTER(dma_debug, parse_flag(value, &args->has_dma_debug))
SETTER(rx_coal_usecs, parse_number(value, 0, COAL_MAX, &args->rx_coal.usecs))
SETTER(rx_coal_pkts, parse_number(value, 0, COAL_MAX, &args->rx_coal.pkts))
SETTER(tx_coal_usecs, parse_number(value, 0, COAL_MAX, &args->tx_coal.usecs))
SETTER(tx_coal_pkts, parse_number(value, 0, COAL_MAX, &args->tx_coal.pkts))
#undef SETTER

static int
set_idle_reclaim(struct sluice_args *args, const char *value)
{
	args->has_idle_reclaim = true;
	return parse_flag(value, &args->is_idle_reclaim);
}

static int
set_isolation(struct sluice_args *args, const char *value)
{
	if (strcmp(value, "scoped") == 0)
		args->isolation = SLUICE_ISOLATION_SCOPED;
	else if (strcmp(value, "sealed") == 0)
		args->isolation = SLUICE_ISOLATION_SEALED;
	else if (strcmp(value, "copy") == 0)
		args->isolation = SLUICE_ISOLATION_COPY;
	else if (strcmp(value, "none") == 0)
		args->isolation = SLUICE_ISOLATION_NONE;
	else
		return -EINVAL;
	return 0;
}

/* Without an IOMMU there is no PCI port: it is the only thing that could stand behind "none". */
static int
set_isolation_pci(struct sluice_args *args, const char *value)
{
	int ret = set_isolation(args, value);

	return ret == 0 && args->isolation == SLUICE_ISOLATION_NONE ? -EINVAL : ret;
}

static int
set_rss(struct sluice_args *args, const char *value)
{
	if (strcmp(value, "sw") == 0)
		args->rss = SLUICE_RSS_ARG_SW;
	else if (strcmp(value, "off") == 0)
		args->rss = SLUICE_RSS_ARG_OFF;
	else
		return -EINVAL;
	return 0;
}

static int
set_hash(struct sluice_args *args, const char *value)
{
	args->has_hash = true;
	return parse_flag(value, &args->is_device_hash);
}

static int
set_ro_rings(struct sluice_args *args, const char *value)
{
	args->has_ro_rings = true;
	return parse_flag(value, &args->is_ro_rings);
}

/* What only says whose the device is; see sluice_args_parse_pci(). */
static int
set_claim(struct sluice_args *args, const char *value)
{
	bool ignored;

	RTE_SET_USED(args);
	return parse_flag(value, &ignored);
}

struct arg_key {
	const char *key;
	int (*set)(struct sluice_args *args, const char *value);
	const char *allowed;
};

static const struct arg_key vdev_keys[] = {
	{ "path", set_path,
			"path of a Unix socket, /dev/vhost-net or /dev/vhost-vdpa-<number>, "
			"1 to 107 characters" },
	{ "iface", set_iface, "name of an interface, 1 to 15 characters without / : and blanks" },
	{ "queues", set_queues, "1 to 127" },
	{ "queue_size", set_queue_size, "4 to 32768; a power of two unless packed_vq=1" },
	{ "mac", set_mac, "a unicast address such as 02:00:00:00:00:01" },
	{ "server", set_server, "0 or 1" },
	{ "socket_mode", set_socket_mode, "permissions in octal, 0 to 0777, such as 0660" },
	{ "socket_group", set_socket_group, "a group of this machine, by name or number" },
	{ "packed_vq", set_packed_vq, "0 or 1" },
	{ "mrg_rxbuf", set_mrg_rxbuf, "0 or 1" },
	{ "in_order", set_in_order, "0 or 1" },
	{ "vectorized", set_vectorized, "0 or 1" },
	{ "csum", set_csum, "0 or 1" },
	{ "complete_csum", set_complete_csum, "0 or 1" },
	{ "tso", set_tso, "0 or 1" },
	{ "lro", set_lro, "0 or 1" },
	{ "speed", set_speed, "0 to 2147483647 Mbit/s" },
	{ "idle_reclaim", set_idle_reclaim, "0 or 1" },
	{ "busy_poll_us", set_busy_poll_us, "0 to 1000 microseconds" },
	{ "isolation", set_isolation, "scoped, sealed, copy or none" },
	{ "bounce", set_bounce, "0 or 1" },
	{ "ro_rings", set_ro_rings, "0 or 1" },
	{ "rss", set_rss, "sw or off" },
	{ "hash", set_hash, "0 or 1" },
	{ "dma_debug", set_dma_debug, "0 or 1" },
};

static const struct arg_key pci_keys[] = {
	{ "sluice", set_claim, "0 or 1" },
	{ "queues", set_queues, "1 to 127" },
	{ "queue_size", set_queue_size, "4 to 32768; a power of two unless packed_vq=1" },
	{ "packed_vq", set_packed_vq, "0 or 1" },
	{ "mrg_rxbuf", set_mrg_rxbuf, "0 or 1" },
	{ "in_order", set_in_order, "0 or 1" },
	{ "vectorized", set_vectorized, "0 or 1" },
	{ "csum", set_csum, "0 or 1" },
	{ "complete_csum", set_complete_csum, "0 or 1" },
	{ "tso", set_tso, "0 or 1" },
	{ "lro", set_lro, "0 or 1" },
	{ "speed", set_speed, "0 to 2147483647 Mbit/s" },
	{ "idle_reclaim", set_idle_reclaim, "0 or 1" },
	{ "isolation", set_isolation_pci,
			"scoped, sealed or copy; a PCI device is reached through an IOMMU "
			"or not at all" },
	{ "bounce", set_bounce, "0 or 1" },
	{ "ro_rings", set_ro_rings, "0 or 1" },
	{ "rss", set_rss, "sw or off" },
	{ "hash", set_hash, "0 or 1" },
	{ "rx_coal_usecs", set_rx_coal_usecs, "0 to 2147483647" },
	{ "rx_coal_pkts", set_rx_coal_pkts, "0 to 2147483647" },
	{ "tx_coal_usecs", set_tx_coal_usecs, "0 to 2147483647" },
	{ "tx_coal_pkts", set_tx_coal_pkts, "0 to 2147483647" },
	{ "dma_debug", set_dma_debug, "0 or 1" },
	/* net_virtio leaves devices with vdpa=1 alone: for programs that ask it before us. */
	{ "vdpa", set_claim, "0 or 1" },
};

struct parse_state {
	struct sluice_args *args;
	const struct arg_key *keys;
	unsigned int nb_keys;
	const char *allowed;
	uint32_t seen; /* bit per entry of keys */
};

static int
on_pair(const char *key, const char *value, void *opaque)
{
	struct parse_state *state = opaque;
	unsigned int i;

	for (i = 0; i < state->nb_keys; i++)
		if (strcmp(state->keys[i].key, key) == 0)
			break;
	if (i == state->nb_keys) {
		SLUICE_INIT_LOG(ERR, "unknown device argument '%s=%s'; allowed: %s", key,
				value == NULL ? "" : value, state->allowed);
		return -EINVAL;
	}
	if (state->seen & RTE_BIT32(i)) {
		SLUICE_INIT_LOG(ERR, "device argument '%s=%s' given twice; allowed: once", key,
				value == NULL ? "" : value);
		return -EINVAL;
	}
	state->seen |= RTE_BIT32(i);
	if (value == NULL || state->keys[i].set(state->args, value) != 0) {
		SLUICE_INIT_LOG(ERR, "bad device argument '%s=%s'; allowed: %s", key,
				value == NULL ? "" : value, state->keys[i].allowed);
		return -EINVAL;
	}
	return 0;
}

static int
parse(const char *params, struct parse_state *state)
{
	const struct sluice_args *args = state->args;
	struct rte_kvargs *kvargs;
	int ret;

	kvargs = rte_kvargs_parse(params == NULL ? "" : params, NULL);
	if (kvargs == NULL) {
		SLUICE_INIT_LOG(ERR,
				"device arguments '%s' are not key=value,key=value; allowed: %s",
				params, state->allowed);
		return -EINVAL;
	}
	ret = rte_kvargs_process_opt(kvargs, NULL, on_pair, state);
	rte_kvargs_free(kvargs);
	if (ret != 0)
		return -EINVAL;
	if (!args->is_packed && !rte_is_power_of_2(args->queue_size)) {
		SLUICE_INIT_LOG(ERR,
				"bad device argument 'queue_size=%u'; allowed: a power of two up to "
				"32768 for split rings (packed_vq=0)",
				args->queue_size);
		return -EINVAL;
	}
	if (args->bounces && args->isolation != SLUICE_ISOLATION_SEALED) {
		SLUICE_INIT_LOG(ERR,
				"bad device argument 'bounce=1'; allowed: with isolation=sealed "
				"(isolation=copy copies all packets)");
		return -EINVAL;
	}
	return 0;
}

static const struct sluice_args defaults = {
	.nb_pairs = 1,
	.queue_size = SLUICE_QUEUE_SIZE_DEFAULT,
	.is_packed = true,
	.has_mrg = true,
	.is_in_order = true,
	.is_vectorized = true,
	.has_csum = true,
	.has_tso = true,
	.has_lro = true,
	.speed = UINT32_MAX,
	.iface = "tap%d",
};

int
sluice_args_parse(const char *params, struct sluice_args *out)
{
	struct sluice_args args = defaults;
	struct parse_state state = {
		.args = &args, .keys = vdev_keys, .allowed = SLUICE_ARGS_STRING
	};
	int ret;

	state.nb_keys = RTE_DIM(vdev_keys);
	ret = parse(params, &state);
	if (ret != 0)
		return ret;
	if (args.path[0] == '\0') {
		SLUICE_INIT_LOG(ERR,
				"device argument 'path' is missing; allowed: path=<Unix socket, "
				"/dev/vhost-net or /dev/vhost-vdpa-N>");
		return -EINVAL;
	}
	ret = sluice_args_check_path(&args);
	if (ret != 0)
		return ret;
	*out = args;
	return 0;
}

struct claim {
	bool is_ours;
	bool is_bad;
};

/* Called for each pair: a key in other letters means us, too. */
static int
on_claim(const char *key, const char *value, void *opaque)
{
	struct claim *claim = opaque;
	bool is_one = false;

	if (strcasecmp(key, "sluice") != 0)
		return 0;
	if (strcmp(key, "sluice") == 0 && parse_flag(value, &is_one) == 0) {
		claim->is_ours |= is_one;
		return 0;
	}
	claim->is_bad = true;
	SLUICE_INIT_LOG(ERR,
			"bad device argument '%s%s%s'; allowed: sluice=1 for this driver, sluice=0 or none "
			"for another",
			key, value == NULL ? "" : "=", value == NULL ? "" : value);
	return 0;
}

int
sluice_args_parse_pci(const char *params, struct sluice_args *out, bool *is_ours)
{
	struct sluice_args args = defaults;
	struct parse_state state = {
		.args = &args, .keys = pci_keys, .allowed = SLUICE_PCI_ARGS_STRING
	};
	struct claim claim = { 0 };
	struct rte_kvargs *kvargs;
	int ret;

	*is_ours = false;
	kvargs = rte_kvargs_parse(params == NULL ? "" : params, NULL);
	if (kvargs == NULL) {
		/* What cannot be read is not given away if it speaks of us. */
		*is_ours = strcasestr(params, "sluice") != NULL;
		return *is_ours ? parse(params, &state) : 0;
	}
	rte_kvargs_process_opt(kvargs, NULL, on_claim, &claim);
	rte_kvargs_free(kvargs);
	*is_ours = claim.is_ours || claim.is_bad;
	if (claim.is_bad)
		return -EINVAL;
	if (!*is_ours)
		return 0;
	args.nb_pairs = QUEUES_PCI;
	state.nb_keys = RTE_DIM(pci_keys);
	ret = parse(params, &state);
	if (ret == 0)
		*out = args;
	return ret;
}
