/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The memory files of rings, on a machine that promises pages and does not have them: mmap() of
 * huge pages succeeds where a cgroup allows none, and the first touch is a SIGBUS. Here the
 * kernel's answer when it is asked for the pages is made up.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "env.h"
#include "fake_log.h"

#define BIG ((size_t)3 << 20)

/*
 * What the kernel says to who wants all pages of a mapping: of huge ones, of small ones; 0: the
 * truth.
 */
static int huge_says, small_says;
static unsigned int nb_asked;

/* A mapping of huge pages is whole ones; BIG is not. */
static bool
is_huge(size_t len)
{
	return len % (2 << 20) == 0;
}

int
madvise(void *addr, size_t len, int advice)
{
	int err = is_huge(len) ? huge_says : small_says;

	if (advice != MADV_POPULATE_WRITE)
		return syscall(SYS_madvise, addr, len, advice);
	nb_asked++;
	if (err == 0)
		return syscall(SYS_madvise, addr, len, advice);
	errno = err;
	return -1;
}

struct rig {
	struct dmap_remote remote;
	struct dmap_domain *d;
};

static void
rig_open(struct rig *g, int huge, int small)
{
	huge_says = huge;
	small_says = small;
	nb_asked = 0;
	g->remote = (struct dmap_remote){ .show = fake_no_device };
	assert_int_equal(dmap_domain_create("unit", &dmap_memfd_backend, &g->remote, &g->d), 0);
}

/* Emulators of user space say yes to any advice, and do nothing. */
static bool
is_emulated(void)
{
	return syscall(SYS_madvise, NULL, 0, -1) == 0;
}

/* Rings of so many bytes; all of them are there. Does the file have huge pages? */
static bool
check_rings(struct rig *g, size_t len)
{
	struct dmap_coherent c;
	struct dmap_region r;
	struct statfs fs;
	struct stat st;

	assert_int_equal(dmap_alloc_coherent(g->d, "rings", len, 0, &c), 0);
	assert_int_equal(dmap_regions(g->d, &r, 1), 1);
	assert_int_equal(fstatfs(r.fd, &fs), 0);
	assert_int_equal(fstat(r.fd, &st), 0);
	if (!is_emulated())
		assert_int_equal(512 * st.st_blocks, c.len);
	memset(c.va, 1, c.len);
	dmap_free_coherent(g->d, &c);
	return fs.f_type == HUGETLBFS_MAGIC;
}

/* Rings of which who has the file may take pages away: never huge ones, and whole ones' worth. */
static void
test_small(void **state)
{
	struct dmap_coherent c;
	struct rig g;

	(void)state;
	rig_open(&g, 0, 0);
	dmap_domain_destroy(g.d);
	assert_int_equal(dmap_domain_create("unit", &dmap_memfd_small_backend, &g.remote, &g.d), 0);
	assert_false(check_rings(&g, BIG));
	assert_int_equal(dmap_alloc_coherent(g.d, "rings", BIG, 0, &c), 0);
	assert_int_equal(c.len % (2UL << 20), 0);
	memset(c.va, 1, c.len);
	assert_int_equal(fallocate(c.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, c.len), 0);
	assert_int_equal(*(char *)c.va, 0);
	dmap_free_coherent(g.d, &c);
	dmap_domain_destroy(g.d);
}

/* Huge pages that may not be used, or were taken by somebody else: small ones do. */
static void
test_no_huge_pages(void **state)
{
	static const int answers[] = { EFAULT, ENOMEM, EHWPOISON };
	unsigned int i;
	struct rig g;

	(void)state;
	for (i = 0; i < RTE_DIM(answers); i++) {
		rig_open(&g, answers[i], 0);
		assert_false(check_rings(&g, BIG));
		/* Emulators know no huge pages either. */
		assert_in_range(nb_asked, is_emulated() ? 1 : 2, 2);
		dmap_domain_destroy(g.d);
	}
}

/* All pages are there before anybody touches them, small or huge. */
static void
test_all_there(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 0, 0);
	check_rings(&g, BIG);
	assert_false(check_rings(&g, 10000));
	dmap_domain_destroy(g.d);
}

/* No memory at all: an error that is one. */
static void
test_no_memory(void **state)
{
	struct dmap_coherent c = { 0 };
	const char *log;
	struct rig g;

	(void)state;
	rig_open(&g, EFAULT, EFAULT);
	fake_log_begin();
	assert_int_equal(dmap_alloc_coherent(g.d, "rings", BIG, 0, &c), -ENOMEM);
	log = fake_log_end();
	assert_non_null(strstr(log, "rings"));
	assert_non_null(strstr(log, "Cannot allocate memory"));
	assert_null(c.va);
	dmap_domain_destroy(g.d);
}

/* A kernel that does not know the advice gives the file its pages. */
static void
test_old_kernel(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, EINVAL, EINVAL);
	assert_false(check_rings(&g, 20000));
	dmap_domain_destroy(g.d);
}

/* Is there memory at this address? */
static bool
is_mapped(const void *va)
{
	int fds[2];
	bool is;

	assert_int_equal(pipe(fds), 0);
	is = write(fds[1], va, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	return is;
}

/*
 * What is left in a domain goes with it as a whole, however its access rights cut it. All parts are
 * of the file.
 */
static void
test_left(void **state)
{
	const size_t page = 4096;
	const struct dmap_span span = { .offset = page, .len = page };
	struct dmap_region parts[3];
	struct dmap_coherent c;
	unsigned int i;
	struct rig g;
	size_t at;

	(void)state;
	rig_open(&g, 0, 0);
	dmap_domain_destroy(g.d);
	assert_int_equal(dmap_domain_create("unit", &dmap_iotlb_backend, &g.remote, &g.d), 0);
	assert_int_equal(dmap_alloc_coherent(g.d, "rings", 3 * page, 0, &c), 0);
	assert_int_equal(dmap_coherent_read_only(g.d, &c, &span, 1), 0);
	assert_int_equal(dmap_regions(g.d, parts, RTE_DIM(parts)), RTE_DIM(parts));
	for (i = 0; i < RTE_DIM(parts); i++) {
		assert_int_equal(parts[i].fd, c.fd);
		assert_int_equal(parts[i].fd_off, i * page);
	}
	for (at = 0; at < c.len; at += page)
		assert_true(is_mapped((char *)c.va + at));
	dmap_domain_destroy(g.d);
	for (at = 0; at < c.len; at += page)
		assert_false(is_mapped((char *)c.va + at));
}

int
main(void)
{
	suite_add(test_small, NULL, "small pages");
	suite_add(test_no_huge_pages, NULL, "no huge pages");
	suite_add(test_all_there, NULL, "all there");
	suite_add(test_no_memory, NULL, "no memory");
	suite_add(test_old_kernel, NULL, "old kernel");
	suite_add(test_left, NULL, "left");
	return suite_run("memfd");
}
