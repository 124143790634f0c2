/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * ethdev's flow rules on those of the port (sluice_rules.h): what an application says in items and
 * actions becomes a value and a mask of what packets have (sluice_flow.h). What cannot be done is
 * refused with the place of the application's text, and why.
 */

#include <errno.h>
#include <string.h>

#include <rte_flow.h>
#include <rte_flow_driver.h>

#include "sluice_ethdev.h"

/* A part of an item's struct, and where it is in a key. */
struct field {
	uint8_t at;
	uint8_t len;
	uint8_t key_at;
};

/* The last part has len 0. */
struct item_kind {
	enum rte_flow_item_type type;
	const void *mask; /* without one of the application's own */
	uint8_t size;
	uint8_t level;  /* items come in this order, one of each */
	uint8_t layer;  /* which the packet has then */
	uint8_t others; /* and which it has not, unless an item before says so */
	struct field fields[4];
};

#define FIELD(item, member, key_member) \
	{ \
		offsetof(struct rte_flow_item_##item, member), \
				sizeof(((struct rte_flow_item_##item *)NULL)->member), \
				offsetof(struct sluice_flow_key, key_member) \
	}
#define KIND(name, item) \
	.type = RTE_FLOW_ITEM_TYPE_##name, .mask = &rte_flow_item_##item##_mask, \
	.size = sizeof(struct rte_flow_item_##item)
#define LEVEL_L3 3

static const struct item_kind kinds[] = {
	{ KIND(ETH, eth), .level = 1,
			.fields = { FIELD(eth, hdr.dst_addr, eth.dst_addr),
					FIELD(eth, hdr.src_addr, eth.src_addr),
					FIELD(eth, hdr.ether_type, eth.ether_type) } },
	{ KIND(VLAN, vlan), .level = 2, .layer = SLUICE_FLOW_VLAN,
			.fields = { FIELD(vlan, hdr.vlan_tci, vlan.vlan_tci),
					FIELD(vlan, hdr.eth_proto, vlan.eth_proto) } },
	{ KIND(IPV4, ipv4), .level = LEVEL_L3, .layer = SLUICE_FLOW_IPV4,
			.others = SLUICE_FLOW_VLAN,
			.fields = { FIELD(ipv4, hdr.next_proto_id, proto),
					FIELD(ipv4, hdr.src_addr, src_addr),
					FIELD(ipv4, hdr.dst_addr, dst_addr) } },
	{ KIND(IPV6, ipv6), .level = LEVEL_L3, .layer = SLUICE_FLOW_IPV6,
			.others = SLUICE_FLOW_VLAN,
			.fields = { FIELD(ipv6, hdr.proto, proto),
					FIELD(ipv6, hdr.src_addr, src_addr),
					FIELD(ipv6, hdr.dst_addr, dst_addr) } },
	{ KIND(TCP, tcp), .level = LEVEL_L3 + 1, .layer = SLUICE_FLOW_TCP,
			.fields = { FIELD(tcp, hdr.src_port, ports[0]),
					FIELD(tcp, hdr.dst_port, ports[1]) } },
	{ KIND(UDP, udp), .level = LEVEL_L3 + 1, .layer = SLUICE_FLOW_UDP,
			.fields = { FIELD(udp, hdr.src_port, ports[0]),
					FIELD(udp, hdr.dst_port, ports[1]) } },
	{ KIND(SCTP, sctp), .level = LEVEL_L3 + 1, .layer = SLUICE_FLOW_SCTP,
			.fields = { FIELD(sctp, hdr.src_port, ports[0]),
					FIELD(sctp, hdr.dst_port, ports[1]) } },
};

/* What an application asks for. */
struct wish {
	struct sluice_flow_rule rule;
	bool has_fate;
	bool counts;
};

static int
check_attr(const struct rte_flow_attr *attr, struct rte_flow_error *error)
{
	if (attr->group != 0)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_GROUP, attr,
				"there is group 0 only");
	if (attr->transfer)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_TRANSFER, attr,
				"rules are for packets that the port receives: no transfer");
	if (attr->egress || !attr->ingress)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_EGRESS, attr,
				"rules are for packets that the port receives: ingress only");
	return 0;
}

static const struct item_kind *
kind_of(enum rte_flow_item_type type)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(kinds); i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

/* What the item says of fields of its header. */
static int
add_fields(struct sluice_flow_rule *rule, const struct item_kind *kind,
		const struct rte_flow_item *item, struct rte_flow_error *error)
{
	const uint8_t *spec = item->spec, *mask = item->mask != NULL ? item->mask : kind->mask;
	uint8_t left[UINT8_MAX];
	const struct field *f;
	uint8_t i;

	if (item->last != NULL)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, item,
				"there are no ranges: use a mask, or several rules");
	if (spec == NULL && item->mask != NULL)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, item,
				"a mask without a value");
	if (spec == NULL)
		return 0;
	memcpy(left, mask, kind->size);
	for (f = kind->fields; f < kind->fields + RTE_DIM(kind->fields) && f->len != 0; f++)
		for (i = 0; i < f->len; i++) {
			uint8_t bits = mask[f->at + i];

			((uint8_t *)&rule->mask)[f->key_at + i] = bits;
			((uint8_t *)&rule->value)[f->key_at + i] = spec[f->at + i] & bits;
			left[f->at + i] = 0;
		}
	for (i = 0; i < kind->size; i++)
		if (left[i] != 0)
			return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK,
					item,
					"only these fields are looked at: eth dst, src and type; vlan tci and "
					"inner_type; ipv4 and ipv6 src, dst and proto; ports of tcp, udp and sctp");
	return 0;
}

static int
read_pattern(struct sluice_flow_rule *rule, const struct rte_flow_item *item,
		struct rte_flow_error *error)
{
	const struct item_kind *kind;
	uint8_t level = 0;
	int ret;

	for (; item->type != RTE_FLOW_ITEM_TYPE_END; item++) {
		if (item->type == RTE_FLOW_ITEM_TYPE_VOID)
			continue;
		kind = kind_of(item->type);
		if (kind == NULL)
			return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, item,
					"items are eth, vlan, ipv4, ipv6, tcp, udp and sctp");
		if (kind->level <= level || (kind->level > LEVEL_L3 && level != LEVEL_L3))
			return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, item,
					"items go from eth over one vlan and one of ipv4 and ipv6 to one of tcp, "
					"udp and sctp, which need ipv4 or ipv6");
		level = kind->level;
		rule->value.key.layers |= kind->layer;
		rule->mask.key.layers |= kind->layer | kind->others;
		ret = add_fields(rule, kind, item, error);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int
read_queue(struct wish *wish, uint16_t queue, uint16_t nb_rx, const struct rte_flow_action *action,
		struct rte_flow_error *error)
{
	if (queue >= nb_rx)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, action,
				"the port has no such receive queue");
	wish->rule.queues[wish->rule.nb_queues++] = queue;
	return 0;
}

/* The hash is that of the port, which is computed already. */
static int
read_rss(struct wish *wish, const struct rte_eth_dev *dev, const struct rte_flow_action *action,
		struct rte_flow_error *error)
{
	const struct rte_flow_action_rss *rss = action->conf;
	const uint64_t types = sluice_shared_of(dev)->rss.types;
	uint32_t i;
	int ret = 0;

	if (rss->func != RTE_ETH_HASH_FUNCTION_DEFAULT &&
			rss->func != RTE_ETH_HASH_FUNCTION_TOEPLITZ)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION_CONF, action,
				"the hash is Toeplitz");
	if (rss->level > 1 || rss->key_len != 0 ||
			(rss->types != 0 && (rss->types & sluice_steer_types()) != types))
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION_CONF, action,
				"the hash is the port's: with its key (none here), its types, and of outer headers");
	if (rss->queue_num == 0 || rss->queue_num > SLUICE_SPREAD_QUEUES_MAX)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, action,
				"1 to " RTE_STR(SLUICE_SPREAD_QUEUES_MAX) " queues");
	for (i = 0; i < rss->queue_num && ret == 0; i++)
		ret = read_queue(wish, rss->queue[i], dev->data->nb_rx_queues, action, error);
	return ret;
}

static int
read_fate(struct wish *wish, const struct rte_eth_dev *dev, const struct rte_flow_action *action,
		struct rte_flow_error *error)
{
	const struct rte_flow_action_queue *queue = action->conf;

	if (wish->has_fate)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, action,
				"one of queue, drop and rss, not several");
	wish->has_fate = true;
	if (action->type == RTE_FLOW_ACTION_TYPE_DROP)
		return 0;
	if (action->conf == NULL)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, action,
				"no queue is named");
	if (action->type == RTE_FLOW_ACTION_TYPE_RSS)
		return read_rss(wish, dev, action, error);
	return read_queue(wish, queue->index, dev->data->nb_rx_queues, action, error);
}

static int
read_actions(struct wish *wish, const struct rte_eth_dev *dev, const struct rte_flow_action *action,
		struct rte_flow_error *error)
{
	const struct rte_flow_action *first = action;
	int ret = 0;

	for (; action->type != RTE_FLOW_ACTION_TYPE_END && ret == 0; action++)
		switch (action->type) {
		case RTE_FLOW_ACTION_TYPE_VOID:
			break;
		case RTE_FLOW_ACTION_TYPE_COUNT:
			wish->counts = true;
			break;
		case RTE_FLOW_ACTION_TYPE_QUEUE:
		case RTE_FLOW_ACTION_TYPE_DROP:
		case RTE_FLOW_ACTION_TYPE_RSS:
			ret = read_fate(wish, dev, action, error);
			break;
		default:
			ret = rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, action,
					"actions are queue, drop, rss and count");
		}
	if (ret == 0 && !wish->has_fate)
		ret = rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, first,
				"one of queue, drop and rss is needed");
	return ret;
}

static int
read_wish(struct wish *wish, const struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
		const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
		struct rte_flow_error *error)
{
	const char *refusal = sluice_rules_refusal(sluice_port_of(dev));
	int ret;

	if (refusal != NULL)
		return rte_flow_error_set(
				error, ENOTSUP, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, refusal);
	memset(wish, 0, sizeof(*wish));
	ret = check_attr(attr, error);
	if (ret == 0)
		ret = read_pattern(&wish->rule, pattern, error);
	return ret == 0 ? read_actions(wish, dev, actions, error) : ret;
}

/* What went wrong on the port. */
static int
set_error(struct rte_flow_error *error, const void *cause, int ret)
{
	const char *text = ret == -ENOSPC ?
			"a port has at most " RTE_STR(SLUICE_FLOW_RULES_MAX) " rules" :
			ret == -ENOENT    ? "the port has no such rule" :
			ret == -ENOTSUP   ? "the rule has no action count" :
			ret == -ETIMEDOUT ? "a core stays in a burst, so rules stay as they are" :
					    strerror(-ret);

	return ret == 0 ? 0 :
			  rte_flow_error_set(error, -ret, RTE_FLOW_ERROR_TYPE_HANDLE, cause, text);
}

static int
flow_validate(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
		const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
		struct rte_flow_error *error)
{
	struct wish wish;

	return read_wish(&wish, dev, attr, pattern, actions, error);
}

static struct rte_flow *
flow_create(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
		const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
		struct rte_flow_error *error)
{
	struct rte_flow *flow = NULL;
	struct wish wish;

	if (read_wish(&wish, dev, attr, pattern, actions, error) != 0)
		return NULL;
	set_error(error, NULL,
			sluice_rules_add(sluice_port_of(dev), &wish.rule, attr->priority,
					wish.counts, &flow));
	return flow;
}

static int
flow_destroy(struct rte_eth_dev *dev, struct rte_flow *flow, struct rte_flow_error *error)
{
	return set_error(error, flow,
			flow == NULL ? -ENOENT : sluice_rules_remove(sluice_port_of(dev), flow));
}

static int
flow_flush(struct rte_eth_dev *dev, struct rte_flow_error *error)
{
	return set_error(error, NULL, sluice_rules_remove(sluice_port_of(dev), NULL));
}

static int
flow_query(struct rte_eth_dev *dev, struct rte_flow *flow, const struct rte_flow_action *action,
		void *data, struct rte_flow_error *error)
{
	struct rte_flow_query_count *query = data;
	struct sluice_flow_count count = { 0 };
	int ret;

	if (action->type != RTE_FLOW_ACTION_TYPE_COUNT)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, action,
				"what can be asked for is count");
	ret = sluice_rules_query(sluice_port_of(dev), flow, query->reset, &count);
	query->hits_set = ret == 0;
	query->bytes_set = ret == 0;
	query->hits = count.packets;
	query->bytes = count.bytes;
	return set_error(error, flow, ret);
}

static int
flow_isolate(struct rte_eth_dev *dev, int set, struct rte_flow_error *error)
{
	RTE_SET_USED(dev);
	return set == 0 ?
			0 :
			rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL,
					"the device gives a port what no rule matches, too: there is no isolated "
					"mode; a rule of the last priority can drop the rest");
}

const struct rte_flow_ops sluice_flow_ops = {
	.validate = flow_validate,
	.create = flow_create,
	.destroy = flow_destroy,
	.flush = flow_flush,
	.query = flow_query,
	.isolate = flow_isolate,
};
