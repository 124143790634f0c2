/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Device arguments: every key good, bad, at its limits; and messages that say key, value and what
 * is allowed.
 */

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "fake_log.h"
#include "sluice_args.h"

/* What was logged by the last parse(). */
static const char *logged = "";

static int
parse(const char *params, struct sluice_args *out)
{
	int ret;

	fake_log_begin();
	ret = sluice_args_parse(params, out);
	logged = fake_log_end();
	return ret;
}

static struct sluice_args
must_parse(const char *params)
{
	struct sluice_args a;
	int ret = parse(params, &a);

	if (ret != 0)
		fail_msg("%s: %d, %s", params, ret, logged);
	if (logged[0] != '\0')
		fail_msg("%s: good, but it was logged: %s", params, logged);
	return a;
}

/* Must be refused in one line that holds each of these. */
static void
must_refuse(const char *params, const char *key, const char *value, const char *allowed)
{
	struct sluice_args a, untouched;
	const char *what[] = { key, value, allowed, "allowed" };
	unsigned int i;

	memset(&a, 0x5a, sizeof(a));
	memset(&untouched, 0x5a, sizeof(untouched));
	assert_int_equal(parse(params, &a), -EINVAL);
	assert_memory_equal(&a, &untouched, sizeof(a));
	for (i = 0; i < RTE_DIM(what); i++)
		if (strstr(logged, what[i]) == NULL)
			fail_msg("%s: no '%s' in: %s", params, what[i], logged);
	if (strchr(logged, '\n') != logged + strlen(logged) - 1)
		fail_msg("%s: not one line: %s", params, logged);
}

static void
test_only_a_path(void **state)
{
	struct sluice_args a = must_parse("path=/run/x.sock");

	(void)state;
	assert_string_equal(a.path, "/run/x.sock");
	assert_int_equal(a.nb_pairs, 1);
	assert_int_equal(a.queue_size, 256);
	assert_false(a.has_mac);
	assert_false(a.is_server);
	assert_true(a.has_mrg);
	assert_true(a.is_in_order);
	assert_true(a.has_csum && a.has_tso && a.has_lro);
	assert_false(a.completes_csum);
	assert_true(a.speed == UINT32_MAX);
	assert_int_equal(a.isolation, SLUICE_ISOLATION_SCOPED);
}

static void
test_numbers(void **state)
{
	(void)state;
	assert_int_equal(must_parse("path=/x,queues=1").nb_pairs, 1);
	assert_int_equal(must_parse("path=/x,queues=127").nb_pairs, 127);
	assert_int_equal(must_parse("path=/x,packed_vq=0,queue_size=4").queue_size, 4);
	assert_int_equal(must_parse("path=/x,packed_vq=0,queue_size=32768").queue_size, 32768);
	assert_int_equal(must_parse("path=/x,packed_vq=1,queue_size=1000").queue_size, 1000);
	assert_int_equal(must_parse("packed_vq=1,queue_size=5,path=/x").queue_size, 5);
	assert_int_equal(must_parse("path=/x,speed=0").speed, 0);
	assert_int_equal(must_parse("path=/x,speed=10000").speed, 10000);
	assert_int_equal(must_parse("path=/x,speed=2147483647").speed, 2147483647);
}

static void
test_flags(void **state)
{
	struct sluice_args on, off;

	(void)state;
	on = must_parse("path=/x,server=1,packed_vq=1,mrg_rxbuf=1,in_order=1,vectorized=1,csum=1,"
			"complete_csum=1,tso=1,lro=1");
	off = must_parse("path=/x,server=0,packed_vq=0,mrg_rxbuf=0,in_order=0,vectorized=0,csum=0,"
			 "complete_csum=0,tso=0,lro=0");
	assert_true(on.is_server && on.is_packed && on.has_mrg && on.is_in_order &&
			on.is_vectorized && on.has_csum && on.completes_csum && on.has_tso &&
			on.has_lro);
	assert_false(off.is_server || off.is_packed || off.has_mrg || off.is_in_order ||
			off.is_vectorized || off.has_csum || off.completes_csum || off.has_tso ||
			off.has_lro);
	/* One at a time: no key sets what is another's. */
	assert_true(must_parse("path=/x,server=1").is_server);
	assert_false(must_parse("path=/x,mrg_rxbuf=0").has_mrg);
	assert_true(must_parse("path=/x,mrg_rxbuf=0").is_in_order);
	assert_false(must_parse("path=/x,in_order=0").is_in_order);
	assert_true(must_parse("path=/x,in_order=0").has_mrg);
	assert_false(must_parse("path=/x,vectorized=0").is_vectorized);
	assert_true(must_parse("path=/x,csum=0").has_tso);
	assert_false(must_parse("path=/x,csum=1").completes_csum);
	assert_true(must_parse("path=/x,complete_csum=1").has_csum);
	assert_true(must_parse("path=/x,tso=0").has_csum);
	assert_true(must_parse("path=/x,tso=0").has_lro);
	assert_true(must_parse("path=/x,lro=0").has_tso);
}

static void
test_words(void **state)
{
	static const uint8_t mac[] = { 0x02, 0x11, 0x22, 0xaa, 0xbb, 0xff };
	struct sluice_args a = must_parse("path=/x,mac=02:11:22:aa:BB:ff");

	(void)state;
	assert_true(a.has_mac);
	assert_memory_equal(a.mac, mac, sizeof(mac));
	assert_int_equal(must_parse("path=/x,isolation=none").isolation, SLUICE_ISOLATION_NONE);
	assert_int_equal(must_parse("path=/x,isolation=scoped").isolation, SLUICE_ISOLATION_SCOPED);
	assert_int_equal(must_parse("path=/x,isolation=sealed").isolation, SLUICE_ISOLATION_SEALED);
	assert_int_equal(must_parse("path=/x,isolation=copy").isolation, SLUICE_ISOLATION_COPY);
	assert_true(must_parse("path=/x,bounce=1,isolation=sealed").bounces);
	assert_false(must_parse("path=/x,bounce=0").bounces);
	assert_false(must_parse("path=/x").has_hash);
	assert_true(must_parse("path=/dev/vhost-vdpa-0,hash=0").has_hash);
	assert_false(must_parse("path=/dev/vhost-vdpa-0,hash=0").is_device_hash);
	assert_true(must_parse("path=/dev/vhost-vdpa-0,hash=1").is_device_hash);
	assert_int_equal(must_parse("path=/x").rss, SLUICE_RSS_ARG_AUTO);
	assert_int_equal(must_parse("path=/x,rss=sw").rss, SLUICE_RSS_ARG_SW);
	assert_int_equal(must_parse("path=/x,rss=off").rss, SLUICE_RSS_ARG_OFF);
	assert_false(must_parse("path=/x").has_dma_debug);
	assert_true(must_parse("path=/x,dma_debug=1").has_dma_debug);
}

static void
test_bad_numbers(void **state)
{
	static const struct {
		const char *key;
		const char *allowed;
		const char *bad[12];
	} cases[] = {
		{ "queues", "1 to 127",
				{ "0", "128", "-1", "", "x", "1x", " 1", "0x1", "+1", "1.5",
						"65537", "18446744073709551617" } },
		{ "queue_size", "4 to 32768",
				{ "0", "3", "32769", "65792", "-4", "", "256k", "0x100", "abc",
						"4294967552" } },
		{ "speed", "0 to 2147483647",
				{ "2147483648", "-1", "", "10G", "4294967296", "ten" } },
		{ "busy_poll_us", "0 to 1000", { "1001", "-1", "", "50us", "65586" } },
		{ "server", "0 or 1", { "2", "-1", "", "yes", "true", "01x", "256" } },
		{ "packed_vq", "0 or 1", { "2", "", "on" } },
		{ "idle_reclaim", "0 or 1", { "2", "", "100" } },
		{ "mrg_rxbuf", "0 or 1", { "2", "", "off" } },
		{ "in_order", "0 or 1", { "2", "", "y" } },
		{ "vectorized", "0 or 1", { "2", "", "n" } },
		{ "dma_debug", "0 or 1", { "2", "", "all" } },
	};
	char params[128], shown[96];
	unsigned int i, k;

	(void)state;
	for (i = 0; i < RTE_DIM(cases); i++)
		for (k = 0; k < RTE_DIM(cases[i].bad) && cases[i].bad[k] != NULL; k++) {
			snprintf(params, sizeof(params), "path=/x,%s=%s", cases[i].key,
					cases[i].bad[k]);
			snprintf(shown, sizeof(shown), "'%s=%s'", cases[i].key, cases[i].bad[k]);
			must_refuse(params, cases[i].key, shown, cases[i].allowed);
		}
}

static void
test_bad_words(void **state)
{
	static const char *const macs[] = { "", "02:00:00:00:00", "02:00:00:00:00:00:01",
		"01:00:00:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "02:00:00:00:00:0g",
		"hello" };
	char params[128], shown[64];
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(macs); i++) {
		snprintf(params, sizeof(params), "path=/x,mac=%s", macs[i]);
		snprintf(shown, sizeof(shown), "'mac=%s'", macs[i]);
		must_refuse(params, "mac", shown, "unicast");
	}
	must_refuse("path=/x,rss=", "rss", "'rss='", "sw or off");
	must_refuse("path=/x,rss=on", "rss", "'rss=on'", "sw or off");
	must_refuse("path=/x,isolation=", "isolation", "'isolation='",
			"scoped, sealed, copy or none");
	must_refuse("path=/x,isolation=all", "isolation", "'isolation=all'",
			"scoped, sealed, copy or none");
	must_refuse("path=/x,isolation=Scoped", "isolation", "'isolation=Scoped'",
			"scoped, sealed, copy or none");
	must_refuse("path=/x,isolation=sealed,bounce=2", "bounce", "'bounce=2'", "0 or 1");
	must_refuse("path=/x,bounce=1", "bounce", "'bounce=1'", "isolation=sealed");
	must_refuse("path=/x,isolation=copy,bounce=1", "bounce", "'bounce=1'", "isolation=copy");
}

static void
test_path(void **state)
{
	char params[300] = "path=", shown[300] = "path=";

	(void)state;
	memset(params + 5, 'p', 107);
	assert_int_equal(strlen(must_parse(params).path), 107);
	memset(params + 5, 'p', 108);
	memset(shown + 5, 'p', 108);
	must_refuse(params, "path", shown, "107");
	must_refuse("path=", "path", "'path='", "1 to 107");
	must_refuse("path", "path", "'path='", "1 to 107");
	must_refuse("", "path", "missing", "path=");
	must_refuse("queues=2", "path", "missing", "path=");
	assert_int_equal(parse(NULL, &(struct sluice_args){ 0 }), -EINVAL);
	assert_non_null(strstr(logged, "missing"));
}

/* A device node is the kernel's, and so is the name that its node always has. */
static void
test_kernel(void **state)
{
	static const char *const names[] = { "", "0123456789abcdef", "a/b", "a:b", "a b", ".",
		".." };
	struct sluice_args a = must_parse("path=/dev/vhost-net,iface=tap0");
	char params[128], shown[64];
	unsigned int i;

	(void)state;
	assert_true(a.is_kernel);
	assert_string_equal(a.iface, "tap0");
	assert_true(a.is_idle_reclaim);
	assert_string_equal(must_parse("path=/dev/vhost-net").iface, "tap%d");
	assert_string_equal(must_parse("path=/dev/null,iface=0123456789abcde").iface,
			"0123456789abcde");
	assert_true(must_parse("path=/dev/null").is_kernel);
	assert_false(must_parse("path=/dev/null,idle_reclaim=0").is_idle_reclaim);
	a = must_parse("path=/dev/no-such-node");
	assert_false(a.is_kernel || a.is_idle_reclaim);
	assert_false(must_parse("path=/proc/version").is_kernel);
	for (i = 0; i < RTE_DIM(names); i++) {
		snprintf(params, sizeof(params), "path=/dev/vhost-net,iface=%s", names[i]);
		snprintf(shown, sizeof(shown), "'iface=%s'", names[i]);
		must_refuse(params, "iface", shown, "1 to 15");
	}
	assert_int_equal(parse("path=/x,iface=tap0", &a), -EINVAL);
	assert_non_null(strstr(logged, "iface=tap0"));
	assert_non_null(strstr(logged, "path=/dev/vhost-net"));
	assert_int_equal(must_parse("path=/dev/vhost-net").busy_poll_us, 0);
	assert_int_equal(must_parse("path=/dev/vhost-net,busy_poll_us=1000").busy_poll_us, 1000);
	assert_int_equal(must_parse("path=/x,busy_poll_us=0").busy_poll_us, 0);
	assert_int_equal(parse("path=/x,busy_poll_us=50", &a), -EINVAL);
	assert_non_null(strstr(logged, "'busy_poll_us=50' is for path=/dev/vhost-net"));
	assert_int_equal(parse("path=/dev/vhost-net,server=1", &a), -EINVAL);
	assert_non_null(strstr(logged, "server=1"));
}

/* So is a node of a vDPA device, wherever it is, by its name. */
static void
test_vdpa(void **state)
{
	static const char *const refused[] = { "server=1", "iface=tap0" };
	struct sluice_args a = must_parse("path=/dev/vhost-vdpa-0");
	char params[128];
	unsigned int i;

	(void)state;
	assert_true(a.is_vdpa && !a.is_kernel && !a.is_idle_reclaim && !a.has_ro_rings);
	assert_true(must_parse("path=/run/nodes/vhost-vdpa-12,isolation=sealed").is_vdpa);
	assert_false(must_parse("path=/dev/vhost-vdpa-0/x").is_vdpa);
	assert_false(must_parse("path=/run/x-vhost-vdpa-0").is_vdpa);
	for (i = 0; i < RTE_DIM(refused); i++) {
		snprintf(params, sizeof(params), "path=/dev/vhost-vdpa-0,%s", refused[i]);
		assert_int_equal(parse(params, &a), -EINVAL);
		assert_non_null(strstr(logged, refused[i]));
		assert_non_null(strstr(logged, "path=/dev/vhost-vdpa-0"));
	}
}

static void
test_combinations(void **state)
{
	(void)state;
	/* A size that split rings cannot have, whichever comes first. */
	must_refuse("path=/x,packed_vq=0,queue_size=300", "queue_size", "300", "power of two");
	must_refuse("path=/x,queue_size=300,packed_vq=0", "queue_size", "300", "power of two");
	assert_int_equal(must_parse("path=/x,queue_size=300,packed_vq=1").queue_size, 300);
	must_refuse("path=/x,colour=red", "colour", "'colour=red'", "mrg_rxbuf=<0|1>");
	must_refuse("path=/x,Queues=1", "Queues", "'Queues=1'", "queues=<int>");
	must_refuse("path=/x,colour", "colour", "'colour=", "queues=<int>");
	must_refuse("path=/x,queues=1,queues=1", "queues", "'queues=1'", "once");
	must_refuse("path=/x,path=/y", "path", "'path=/y'", "once");
	must_refuse("path=/x,queues", "queues", "'queues='", "1 to 127");
}

/* Every key of the string for the PMD information is known, and every known key is in it. */
static void
test_string_is_true(void **state)
{
	static const char *const keys[] = { "path", "iface", "queues", "queue_size", "mac",
		"server", "socket_mode", "socket_group", "packed_vq", "mrg_rxbuf", "in_order",
		"vectorized", "csum", "complete_csum", "tso", "lro", "speed", "idle_reclaim",
		"busy_poll_us", "isolation", "bounce", "ro_rings", "rss", "hash", "dma_debug" };
	char *list = strdup(SLUICE_ARGS_STRING), *word, *save, params[64];
	unsigned int nb = 0, i;

	(void)state;
	for (word = strtok_r(list, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		*strchr(word, '=') = '\0';
		for (i = 0; i < RTE_DIM(keys); i++)
			if (strcmp(keys[i], word) == 0)
				break;
		if (i == RTE_DIM(keys))
			fail_msg("%s has no test here", word);
		snprintf(params, sizeof(params), "%s=?", word);
		parse(params, &(struct sluice_args){ 0 });
		assert_null(strstr(logged, "unknown"));
		nb++;
	}
	assert_int_equal(nb, RTE_DIM(keys));
	free(list);
}

/* Only of PCI ports, and a choice only when it was made. */
static void
test_of_pci_ports(void **state)
{
	struct sluice_args a = { 0 };
	bool is_ours;

	(void)state;
	assert_int_equal(parse("path=/x,hash=1", &a), -EINVAL);
	assert_non_null(strstr(logged, "'hash=1' is for path=/dev/vhost-vdpa-<number>"));
	assert_int_equal(parse("path=/x,ro_rings=1", &a), -EINVAL);
	assert_non_null(strstr(logged, "'ro_rings=1' is for path=/dev/vhost-vdpa-<number>"));
	assert_true(must_parse("path=/dev/vhost-vdpa-0,ro_rings=1").is_ro_rings);
	assert_int_equal(sluice_args_parse_pci("sluice=1", &a, &is_ours), 0);
	assert_false(a.has_ro_rings);
	assert_int_equal(sluice_args_parse_pci("sluice=1,ro_rings=0", &a, &is_ours), 0);
	assert_true(a.has_ro_rings && !a.is_ro_rings);
	assert_int_equal(sluice_args_parse_pci("sluice=1,ro_rings=1", &a, &is_ours), 0);
	assert_true(a.has_ro_rings && a.is_ro_rings);
	assert_int_equal(sluice_args_parse_pci("sluice=1,rx_coal_usecs=50,tx_coal_pkts=2147483647",
					 &a, &is_ours),
			0);
	assert_int_equal(a.rx_coal.usecs, 50);
	assert_int_equal(a.tx_coal.pkts, INT32_MAX);
	assert_int_equal(a.rx_coal.pkts + a.tx_coal.usecs, 0);
	assert_int_equal(sluice_args_parse_pci("sluice=1,rx_coal_pkts=2147483648", &a, &is_ours),
			-EINVAL);
	assert_int_equal(sluice_args_parse_pci("sluice=1,tx_coal_usecs=-1", &a, &is_ours), -EINVAL);
	fake_log_begin();
	assert_int_equal(sluice_args_parse_pci("sluice=1,ro_rings=2", &a, &is_ours), -EINVAL);
	assert_non_null(strstr(fake_log_end(), "'ro_rings=2'; allowed: 0 or 1"));
}

/* In place of the C library's. All members of the group "crowd" take so many bytes. */
static size_t crowd_len;

int
getgrnam_r(const char *name, struct group *group, char *buf, size_t len, struct group **found)
{
	(void)buf;
	*found = NULL;
	if (strcmp(name, "root") != 0 && strcmp(name, "crowd") != 0)
		return 0;
	if (name[0] == 'c' && len < crowd_len)
		return ERANGE;
	*group = (struct group){ .gr_gid = name[0] == 'c' ? 77 : 0 };
	*found = group;
	return 0;
}

static void
test_large_group(void **state)
{
	const char *params = "path=/x,server=1,socket_group=crowd";

	(void)state;
	for (crowd_len = 1; crowd_len <= 1 << 20; crowd_len *= 2)
		assert_int_equal(must_parse(params).socket_group, 77);
	must_refuse(params, "socket_group", "crowd", "name or number");
}

static void
test_socket_access(void **state)
{
	static const char *const bad_modes[] = { "", "8", "0o660", "rw", "-1", "01000", "777777",
		"660x" };
	static const char *const bad_groups[] = { "", "-1", "no-such-group-here", "99999999999" };
	struct sluice_args a = must_parse("path=/x,server=1,socket_mode=0660,socket_group=root");
	char params[128], value[64];
	unsigned int i;

	(void)state;
	assert_true(a.has_socket_mode && a.socket_mode == 0660);
	assert_true(a.has_socket_group && a.socket_group == 0);
	a = must_parse("socket_group=1234,socket_mode=7,path=/x,server=1");
	assert_true(a.socket_mode == 7 && a.socket_group == 1234);
	a = must_parse("path=/x,server=1");
	assert_false(a.has_socket_mode || a.has_socket_group);
	for (i = 0; i < RTE_DIM(bad_modes); i++) {
		snprintf(value, sizeof(value), "'socket_mode=%s'", bad_modes[i]);
		snprintf(params, sizeof(params), "path=/x,server=1,socket_mode=%s", bad_modes[i]);
		must_refuse(params, "socket_mode", value, "octal");
	}
	for (i = 0; i < RTE_DIM(bad_groups); i++) {
		snprintf(value, sizeof(value), "'socket_group=%s'", bad_groups[i]);
		snprintf(params, sizeof(params), "path=/x,server=1,socket_group=%s", bad_groups[i]);
		must_refuse(params, "socket_group", value, "name or number");
	}
	/* Of a client's socket the back end is the owner. */
	assert_int_equal(parse("path=/x,socket_mode=0660", &a), -EINVAL);
	assert_non_null(strstr(logged, "'socket_mode=0660'"));
	assert_non_null(strstr(logged, "give server=1"));
	assert_int_equal(parse("path=/x,server=0,socket_group=root", &a), -EINVAL);
	assert_non_null(strstr(logged, "'socket_group=0'"));
}

/*
 * A device is ours, another driver's, or nobody's with a reason: never another's where we were
 * meant.
 */
static void
test_claim(void **state)
{
	static const char *const others[] = { NULL, "", "queues=3", "sluice=0", "vdpa=1,sluice=0",
		"[" };
	static const char *const bad[] = { "sluice", "sluice=", "sluice=yes", "sluice=true",
		"sluice=2", "sluice=01x", "Sluice=1", "SLUICE=0", "queues=1,sluice",
		"sluice=1,queues=[1" };
	struct sluice_args a = { 0 };
	const char *log;
	bool is_ours;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(others); i++) {
		is_ours = true;
		fake_log_begin();
		assert_int_equal(sluice_args_parse_pci(others[i], &a, &is_ours), 0);
		assert_false(is_ours);
		assert_string_equal(fake_log_end(), "");
	}
	for (i = 0; i < RTE_DIM(bad); i++) {
		is_ours = false;
		fake_log_begin();
		assert_int_equal(sluice_args_parse_pci(bad[i], &a, &is_ours), -EINVAL);
		log = fake_log_end();
		assert_true(is_ours);
		if (strstr(log, "device argument") == NULL || strstr(log, "allowed") == NULL ||
				strchr(log, '\n') != log + strlen(log) - 1)
			fail_msg("%s: %s", bad[i], log);
	}
}

int
main(void)
{
	suite_add(test_only_a_path, NULL, "only a path");
	suite_add(test_numbers, NULL, "numbers");
	suite_add(test_flags, NULL, "flags");
	suite_add(test_words, NULL, "words");
	suite_add(test_bad_numbers, NULL, "bad numbers and flags");
	suite_add(test_bad_words, NULL, "bad words");
	suite_add(test_path, NULL, "path");
	suite_add(test_kernel, NULL, "kernel");
	suite_add(test_vdpa, NULL, "vDPA");
	suite_add(test_combinations, NULL, "combinations");
	suite_add(test_string_is_true, NULL, "the list of keys is true");
	suite_add(test_of_pci_ports, NULL, "of_pci_ports");
	suite_add(test_large_group, NULL, "a group of many members");
	suite_add(test_socket_access, NULL, "socket_mode and socket_group");
	suite_add(test_claim, NULL, "whose device it is");
	return suite_run("args");
}
