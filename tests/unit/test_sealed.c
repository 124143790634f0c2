/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Memory of sealed pools, with real files: what their holders can do to them, at which addresses
 * devices see them, what becomes of them when pools end, and that domains which want nothing else
 * get nothing else.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dmap_stream.h"
#include "env.h"
#include "fake_log.h"

#define POOL_LEN ((size_t)3 << 20)
#define WHOLE ((size_t)4 << 20) /* in whole huge pages */
#define FEW ((size_t)64 << 10)
#define REMEDY "this is the remedy"
#define OWN_MIN (1UL << 28)
#define OWN_STEP (2UL << 20)
#define DOMAINS 3

/* Devices, and a pool of which nothing is looked at but where it is. */
struct rig {
	struct dmap_remote remote;
	struct dmap_domain *d[DOMAINS];
	struct dmap_coherent rings[DOMAINS];
	struct rte_mempool mp;
	struct dmap_sealed *memory;
	char *va;
};

static void
make_pool(struct rig *g, size_t len, size_t whole)
{
	g->mp = (struct rte_mempool){ .name = "the pool" };
	assert_int_equal(rte_mempool_set_ops_byname(&g->mp, "fake", NULL), 0);
	assert_int_equal(dmap_sealed_create(g->mp.name, len, 0, &g->memory), 0);
	g->va = dmap_sealed_memory(g->memory, &len);
	assert_int_equal(len, whole);
	assert_int_equal(dmap_sealed_bind(g->memory, &g->mp), 0);
}

static void
open_domain(struct rig *g, unsigned int i, const struct dmap_backend *backend)
{
	assert_int_equal(dmap_domain_create("unit", backend, &g->remote, &g->d[i]), 0);
	assert_int_equal(dmap_set_own_addresses(g->d[i]), 0);
	assert_int_equal(dmap_set_sealed(g->d[i], REMEDY), 0);
	assert_int_equal(dmap_alloc_coherent(g->d[i], "rings", 10000, 0, &g->rings[i]), 0);
	assert_int_equal(dmap_show(g->d[i]), 0);
}

static void
rig_open(struct rig *g)
{
	unsigned int i;

	fake_errors_clear();
	fake_context("sealed pools");
	memset(g, 0, sizeof(*g));
	g->remote = (struct dmap_remote){ .show = fake_no_device };
	make_pool(g, POOL_LEN, WHOLE);
	for (i = 0; i < DOMAINS; i++)
		open_domain(g, i, &dmap_memfd_backend);
}

static void
rig_close(struct rig *g)
{
	unsigned int i;

	for (i = 0; i < DOMAINS; i++) {
		dmap_free_coherent(g->d[i], &g->rings[i]);
		dmap_domain_destroy(g->d[i]);
	}
	fake_event_pool_destroyed(&g->mp);
	fake_check();
}

/* The region of a domain that holds va. */
static struct dmap_region
region_of(struct dmap_domain *d, const void *va)
{
	struct dmap_region r[8];
	unsigned int nb = dmap_regions(d, r, RTE_DIM(r)), i;

	for (i = 0; i < RTE_MIN(nb, RTE_DIM(r)); i++)
		if ((uintptr_t)va - r[i].va < r[i].len)
			return r[i];
	fake_error("%p is in no region", va);
	return (struct dmap_region){ .fd = -1 };
}

static bool
knows(struct dmap_domain *d, const void *va)
{
	struct dmap_window w;

	return dmap_lookup(d, va, 1, &w) == 0;
}

/* Emulators of user space know no memory files as the kernel does. */
static void
assert_sealed(int fd, size_t len)
{
	const int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & wanted, wanted);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 2 * len), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
}

/* Rings and pool, each a file of its own with nothing else in it, and no way to make it smaller. */
static void
test_files(void **state)
{
	struct dmap_region r, rings;
	struct dmap_entry e[4];
	struct rig g;

	(void)state;
	rig_open(&g);
	assert_int_equal(dmap_add_pool(g.d[0], &g.mp), 0);
	assert_int_equal(dmap_serve(g.d[0]), 0);
	assert_int_equal(dmap_regions(g.d[0], NULL, 0), 2);
	r = region_of(g.d[0], g.va);
	assert_int_equal(r.va, (uintptr_t)g.va);
	assert_int_equal(r.len, WHOLE);
	assert_int_equal(r.fd_off, 0);
	assert_sealed(r.fd, WHOLE);
	rings = region_of(g.d[0], g.rings[0].va);
	assert_int_not_equal(rings.fd, r.fd);
	assert_sealed(rings.fd, g.rings[0].len);
	assert_int_equal(dmap_bytes(g.d[0]), WHOLE + g.rings[0].len);
	/* Telemetry's words for it. */
	assert_int_equal(dmap_entries(g.d[0], 0, e, RTE_DIM(e)), 2);
	assert_string_equal(e[0].kind, "coherent");
	assert_string_equal(e[1].kind, "sealed mempool");
	assert_string_equal(e[1].name, "the pool");
	assert_true(e[1].is_shown);
	rig_close(&g);
}

/* Whoever has the file takes pages away: this process finds zeroes there, and goes on. */
static void
test_punched_holes(void **state)
{
	struct dmap_region r;
	struct rig g;
	size_t i;

	(void)state;
	rig_open(&g);
	assert_int_equal(dmap_add_pool(g.d[0], &g.mp), 0);
	assert_int_equal(dmap_serve(g.d[0]), 0);
	r = region_of(g.d[0], g.va);
	memset(g.va, 0xaa, WHOLE);
	assert_int_equal(fallocate(r.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096,
					 WHOLE / 2),
			0);
	for (i = 0; i < WHOLE; i++)
		if ((uint8_t)g.va[i] != (i >= 4096 && i < 4096 + WHOLE / 2 ? 0 : 0xaa))
			fake_error("byte %zu is 0x%02x", i, (uint8_t)g.va[i]);
	memset(g.va, 0x55, WHOLE);
	rig_close(&g);
}

/* What devices are told are numbers that say nothing of this process; they do not overlap. */
static void
test_addresses(void **state)
{
	struct dmap_region r[2];
	struct dmap_window w;
	struct rig g;
	unsigned int i;

	(void)state;
	rig_open(&g);
	for (i = 0; i < DOMAINS; i++) {
		assert_int_equal(dmap_add_pool(g.d[i], &g.mp), 0);
		assert_int_equal(dmap_serve(g.d[i]), 0);
		r[0] = region_of(g.d[i], g.va);
		r[1] = region_of(g.d[i], g.rings[i].va);
		assert_int_equal(g.rings[i].da.v, r[1].da.v);
		assert_int_equal(r[1].da.v, OWN_MIN);
		assert_int_equal(r[0].da.v, OWN_MIN + OWN_STEP);
		assert_int_equal(dmap_lookup(g.d[i], g.va + 5000, 100, &w), 0);
		assert_int_equal((uintptr_t)g.va + 5000 + w.delta, r[0].da.v + 5000);
	}
	rig_close(&g);
}

/* A device that has mapped the file of a pool, and does not let go of it, holds no memory by it. */
static void
test_the_pages_end_with_the_pool(void **state)
{
	struct stat st;
	struct rig g;
	char *peer;
	int fd;

	(void)state;
	rig_open(&g);
	assert_int_equal(dmap_add_pool(g.d[0], &g.mp), 0);
	assert_int_equal(dmap_serve(g.d[0]), 0);
	memset(g.va, 0xaa, WHOLE);
	fd = dup(region_of(g.d[0], g.va).fd);
	peer = mmap(NULL, WHOLE, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(peer, MAP_FAILED);
	assert_int_equal((uint8_t)peer[WHOLE - 1], 0xaa);
	fake_event_pool_destroyed(&g.mp);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	assert_int_equal(peer[WHOLE - 1], 0);
	munmap(peer, WHOLE);
	close(fd);
	rig_close(&g);
}

/* The pool ends while all devices see it: none finds it any more, and its memory is gone. */
static void
test_pool_ends(void **state)
{
	unsigned char is_there;
	unsigned int i;
	struct rig g;

	(void)state;
	rig_open(&g);
	for (i = 0; i < DOMAINS; i++) {
		assert_int_equal(dmap_add_pool(g.d[i], &g.mp), 0);
		assert_int_equal(dmap_serve(g.d[i]), 0);
		assert_true(knows(g.d[i], g.va));
	}
	fake_event_pool_destroyed(&g.mp);
	for (i = 0; i < DOMAINS; i++) {
		assert_false(knows(g.d[i], g.va));
		assert_true(knows(g.d[i], g.rings[i].va));
		assert_int_equal(dmap_serve(g.d[i]), 0);
		assert_int_equal(dmap_add_pool(g.d[i], &g.mp), -EPERM);
	}
	assert_int_equal(mincore(g.va, 4096, &is_there), -1);
	rig_close(&g);
}

/* A domain of another level shows the buffers of such a pool, too, and no mbuf. */
static void
test_other_level(void **state)
{
	struct rig g;
	struct dmap_domain *d;

	(void)state;
	rig_open(&g);
	assert_int_equal(dmap_domain_create("unit", &dmap_memfd_backend, &g.remote, &d), 0);
	assert_int_equal(dmap_show(d), 0);
	assert_int_equal(dmap_add_pool(d, &g.mp), 0);
	assert_int_equal(dmap_serve(d), 0);
	assert_int_equal(dmap_bytes(d), WHOLE);
	assert_int_equal(region_of(d, g.va).da.v, (uintptr_t)g.va);
	dmap_domain_destroy(d);
	rig_close(&g);
}

/* What is not sealed is refused: pools, ranges, and what the application maps by itself. */
static void
test_others_are_refused(void **state)
{
	const struct fake_pool_conf plain = { .name = "plain", .nb = 64 };
	const struct fake_pool_conf pinned = { .name = "pinned", .nb = 64, .is_pinned = true };
	struct fake_pool *p[2] = { fake_pool_create(&plain), fake_pool_create(&pinned) };
	char *mem = fake_eal_alloc(1);
	struct dmap_backend local = fake_domain_backend;
	struct fake_domain device;
	struct dmap_domain *d;
	unsigned int i, k;
	struct rig g;

	(void)state;
	rig_open(&g);
	for (i = 0; i < RTE_DIM(p); i++)
		for (k = 0; k < 2; k++)
			assert_int_equal(dmap_add_pool(g.d[k], p[i]->mp), -EPERM);
	assert_int_equal(dmap_add_range(g.d[0], mem, FAKE_PAGE), -EPERM);
	assert_int_equal(dmap_regions(g.d[0], NULL, 0), 1);
	fake_domain_init(&device, false);
	local.assign = NULL;
	local.granule = FAKE_PAGE;
	assert_int_equal(dmap_domain_create("unit", &local, &device, &d), 0);
	assert_int_equal(dmap_set_sealed(d, REMEDY), 0);
	assert_int_equal(dmap_add_external(d, mem, (struct dmap_addr){ FAKE_PAGE }, FAKE_PAGE),
			-EPERM);
	assert_int_equal(dmap_add_pool(d, &g.mp), 0);
	assert_ptr_equal(fake_domain_reach(&device, (uintptr_t)g.va, WHOLE), g.va);
	dmap_domain_destroy(d);
	fake_domain_fini(&device);
	rig_close(&g);
	fake_eal_free(mem);
	for (i = 0; i < RTE_DIM(p); i++)
		fake_pool_destroy(p[i]);
}

/* A packet of another pool is not lent, and a line says what helps, once. */
static void
test_packets_of_others(void **state)
{
	const struct fake_pool_conf plain = { .name = "plain", .nb = 64 };
	struct fake_pool *p = fake_pool_create(&plain);
	struct rte_mbuf *m = fake_mbuf(p, 128, 60);
	struct dmap_stream s;
	struct dmap_addr da;
	const char *log;
	struct rig g;

	(void)state;
	rig_open(&g);
	dmap_stream_init(&s, g.d[0]);
	fake_log_begin();
	assert_false(dmap_lend(&s, m, rte_pktmbuf_mtod(m, void *), 60, &da));
	assert_true(dmap_may_come(&s));
	assert_int_equal(dmap_serve(g.d[0]), 0);
	assert_false(dmap_lend(&s, m, rte_pktmbuf_mtod(m, void *), 60, &da));
	assert_false(dmap_may_come(&s));
	log = strstr(fake_log_end(), REMEDY);
	assert_non_null(log);
	assert_null(strstr(log + 1, REMEDY));
	rte_pktmbuf_free(m);
	rig_close(&g);
	fake_pool_destroy(p);
}

/*
 * A clone of a packet of a sealed pool that the port has not met: its buffer is an external one, of
 * that pool.
 */
static void
test_clones(void **state)
{
	const struct fake_pool_conf plain = { .name = "plain", .nb = 64 };
	struct fake_pool *p = fake_pool_create(&plain);
	struct rte_mbuf_ext_shared_info info;
	struct rte_mbuf *m = fake_mbuf(p, 0, 0);
	struct dmap_stream s;
	struct dmap_addr da;
	struct rig g;

	(void)state;
	rig_open(&g);
	dmap_stream_init(&s, g.d[0]);
	fake_mbuf_attach(m, g.va + 2240, 2176, &info);
	assert_false(dmap_lend(&s, m, g.va + 2368, 60, &da));
	assert_true(dmap_may_come(&s));
	assert_int_equal(dmap_serve(g.d[0]), 0);
	assert_true(dmap_lend(&s, m, g.va + 2368, 60, &da));
	assert_int_equal(da.v, OWN_MIN + OWN_STEP + 2368);
	rte_pktmbuf_free(m);
	rig_close(&g);
	fake_pool_destroy(p);
}

/* The lowest number that no descriptor has. */
static int
free_number(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* Lines of a file below /proc/self, or the number behind a word of it. */
static unsigned int
read_proc(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	unsigned int nb = 0, number = 0;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		nb++;
		if (word != NULL)
			sscanf(line, word, &number);
	}
	fclose(f);
	return word != NULL ? number : nb;
}

/* Created, shown to several devices, ended; a thousand times, the pool first or a device first. */
static void
test_nothing_is_left(void **state)
{
	unsigned int maps = 0, locked = 0, i, k;
	int fd = -1;
	struct rig g;

	(void)state;
	rig_open(&g);
	for (i = 0; i <= 1000; i++) {
		fake_event_pool_destroyed(&g.mp);
		if (i == 1) {
			/* What grows once has grown. */
			fd = free_number();
			maps = read_proc("/proc/self/maps", NULL);
			locked = read_proc("/proc/self/status", "VmLck: %u");
		}
		make_pool(&g, FEW, FEW);
		for (k = 0; k < DOMAINS; k++) {
			assert_int_equal(dmap_add_pool(g.d[k], &g.mp), 0);
			assert_int_equal(dmap_serve(g.d[k]), 0);
		}
		if (i % 3 == 1)
			dmap_del_pool(g.d[1], &g.mp);
		if (i % 3 == 2) {
			dmap_free_coherent(g.d[0], &g.rings[0]);
			dmap_domain_destroy(g.d[0]);
			open_domain(&g, 0, &dmap_memfd_backend);
		}
	}
	fake_event_pool_destroyed(&g.mp);
	assert_int_equal(free_number(), fd);
	assert_int_equal(read_proc("/proc/self/status", "VmLck: %u"), locked);
	/* The C library's heap may be in more or fewer pieces. */
	assert_in_range(read_proc("/proc/self/maps", NULL), maps - 4, maps + 4);
	rig_close(&g);
}

/* No descriptor is left for the file: an error, and a line that names the pool. */
static void
test_no_file(void **state)
{
	struct dmap_sealed *memory = NULL;
	struct rlimit most, none;
	const char *log;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &most), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = most.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	fake_log_begin();
	assert_int_equal(dmap_sealed_create("the pool", POOL_LEN, 0, &memory), -EMFILE);
	log = fake_log_end();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &most), 0);
	assert_null(memory);
	assert_non_null(strstr(log, "the pool"));
	dmap_sealed_destroy(NULL);
	assert_int_equal(dmap_sealed_create("unused", 100, 0, &memory), 0);
	dmap_sealed_destroy(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_punched_holes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_pool_ends),
		cmocka_unit_test(test_the_pages_end_with_the_pool),
		cmocka_unit_test(test_other_level),
		cmocka_unit_test(test_others_are_refused),
		cmocka_unit_test(test_packets_of_others),
		cmocka_unit_test(test_clones),
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests_name("sealed", tests, NULL, NULL);
}
