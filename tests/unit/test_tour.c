/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What of dma-tour needs no device: its arguments, the search in sysfs, messages of the kernel's
 * log, the picture.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_common.h>

#include "tour_find.h"
#include "tour_kmsg.h"
#include "tour_opts.h"
#include "tour_svg.h"

static int
parse(struct tour_opts *out, unsigned int nb, const char *const *words)
{
	char *argv[8] = { (char *)(uintptr_t) "dma-tour" };
	unsigned int i;

	for (i = 0; i < nb; i++)
		argv[1 + i] = (char *)(uintptr_t)words[i];
	argv[1 + nb] = NULL;
	return tour_opts_parse(1 + nb, argv, out);
}

#define PARSE(out, ...) \
	parse(out, RTE_DIM(((const char *[]){ __VA_ARGS__ })), (const char *[]){ __VA_ARGS__ })

static void
test_arguments(void **state)
{
	struct tour_opts o;

	(void)state;
	assert_int_equal(parse(&o, 0, NULL), 0);
	assert_null(o.device);
	assert_null(o.svg);
	assert_int_equal(o.bits, 28);
	assert_false(o.wants_no_color || o.wants_help);
	assert_int_equal(o.nb_eal_args, 0);

	assert_int_equal(PARSE(&o, "--device", "0000:00:10.0", "--svg=a.svg", "--dma-bits", "64"),
			0);
	assert_string_equal(o.device, "0000:00:10.0");
	assert_string_equal(o.svg, "a.svg");
	assert_int_equal(o.bits, 64);

	assert_int_equal(PARSE(&o, "--no-color", "--", "-l0", "--svg"), 0);
	assert_true(o.wants_no_color);
	assert_null(o.svg);
	assert_int_equal(o.nb_eal_args, 2);
	assert_string_equal(o.eal_args[0], "-l0");

	assert_int_equal(PARSE(&o, "--help"), 0);
	assert_true(o.wants_help);
}

static void
test_bad_arguments(void **state)
{
	static const char *const bits[] = { "", "21", "65", "-28", "28x", "0x1c",
		"99999999999999999999" };
	struct tour_opts o = { .bits = 1 };
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(bits); i++)
		assert_int_equal(PARSE(&o, "--dma-bits", bits[i]), -EINVAL);
	assert_int_equal(PARSE(&o, "--nonsense"), -EINVAL);
	assert_int_equal(PARSE(&o, "--svg"), -EINVAL);
	assert_int_equal(PARSE(&o, "00:10.0"), -EINVAL);
	assert_int_equal(o.bits, 1); /* untouched */
}

/* A folder with the shape of /sys/bus/pci/devices. */
struct sysfs {
	char path[64];
};

static void
sysfs_open(struct sysfs *s)
{
	strcpy(s->path, "/tmp/test_tour.XXXXXX");
	assert_non_null(mkdtemp(s->path));
}

static void
sysfs_close(struct sysfs *s)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", s->path);
	assert_int_equal(system(command), 0);
}

static void
put_file(const struct sysfs *s, const char *bdf, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", s->path, bdf, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
}

static void
put_link(const struct sysfs *s, const char *bdf, const char *name, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s/%s", s->path, bdf, name);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static void
put_device(const struct sysfs *s, const char *bdf, const char *vendor, const char *device)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", s->path, bdf);
	assert_int_equal(mkdir(path, 0700), 0);
	put_file(s, bdf, "vendor", vendor);
	put_file(s, bdf, "device", device);
}

static void
expect(const struct sysfs *s, const char *wanted, const char *bdf)
{
	char found[TOUR_BDF_SIZE], why[1024] = "";

	assert_int_equal(tour_find(s->path, wanted, found, why, sizeof(why)), 0);
	assert_string_equal(found, bdf);
	assert_string_equal(why, "");
}

static void
refuse(const struct sysfs *s, const char *wanted, const char *reason)
{
	char found[TOUR_BDF_SIZE], why[1024] = "";

	assert_int_equal(tour_find(s->path, wanted, found, why, sizeof(why)), -ENODEV);
	if (strstr(why, reason) == NULL)
		fail_msg("'%s' is not in '%s'", reason, why);
}

static void
test_find(void **state)
{
	struct sysfs s;

	(void)state;
	sysfs_open(&s);
	put_device(&s, "0000:00:02.0", "0x1af4", "0x1041");
	refuse(&s, NULL, "no edu device (PCI 1234:11e8)");
	refuse(&s, NULL, "-device edu");
	refuse(&s, "0000:00:02.0", "is a 1af4:1041, not an edu device");
	refuse(&s, "0000:00:03.0", "there is no such PCI device");
	refuse(&s, "../0000:00:02.0", "there is no such PCI device");
	refuse(&s, "0000:00:02.0 and a long tail", "there is no such PCI device");
	refuse(&s, "", "there is no such PCI device");

	put_device(&s, "0000:00:11.0", "0x1234", "0x11e8");
	refuse(&s, NULL, "0000:00:11.0: the device is in no IOMMU group");
	put_link(&s, "0000:00:11.0", "iommu_group", "../../kernel/iommu_groups/7");
	refuse(&s, NULL, "driver is none, not vfio-pci");
	put_link(&s, "0000:00:11.0", "driver", "../../bus/pci/drivers/uio_pci_generic");
	refuse(&s, NULL, "driver is uio_pci_generic, not vfio-pci");
	put_link(&s, "0000:00:11.0", "driver", "../../bus/pci/drivers/vfio-pci");
	expect(&s, NULL, "0000:00:11.0");
	expect(&s, "00:11.0", "0000:00:11.0");
	expect(&s, "0000:00:11.0", "0000:00:11.0");

	/* The first one, whatever the order of the folder. */
	put_device(&s, "0000:00:10.0", "0x1234", "0x11e8");
	refuse(&s, NULL, "0000:00:10.0: the device is in no IOMMU group");
	sysfs_close(&s);
	refuse(&s, NULL, "no edu device");
}

static void
test_faults(void **state)
{
	static const char intel[] =
			"6,977,4711,-;DMAR: [DMA Write NO_PASID] Request device [00:10.0] "
			"fault addr 0x8000000 [fault reason 0x05] PTE Write access is "
			"not set\n";
	static const char amd[] =
			"4,1,2,-;vfio-pci 0000:00:10.0: AMD-Vi: Event logged [IO_PAGE_FAULT "
			"domain=0x000a address=0x8000080 flags=0x0020]\n";

	(void)state;
	assert_true(tour_kmsg_is_fault(intel, "0000:00:10.0", 0x8000000));
	assert_true(tour_kmsg_is_fault(intel, "0000:00:10.0", 0x8000fff));
	assert_false(tour_kmsg_is_fault(intel, "0000:00:10.0", 0x8001000));
	assert_false(tour_kmsg_is_fault(intel, "0000:00:11.0", 0x8000000));
	assert_true(tour_kmsg_is_fault(amd, "0000:00:10.0", 0x8000000));
	assert_false(tour_kmsg_is_fault(amd, "0000:00:10.0", 0x100000));
	assert_false(tour_kmsg_is_fault(
			"6,1,2,-;pci 0000:00:10.0: address=0x8000000", "0000:00:10.0", 0x8000000));
	assert_false(tour_kmsg_is_fault("", "0000:00:10.0", 0));
	assert_false(tour_kmsg_find(-1, "0000:00:10.0", 0, NULL, 0));
}

#define NO TOUR_NO_ADDRESS

static struct tour_span spans[] = {
	{ { 0x5000, 0x9000, 0x100000 }, 0x2000, TOUR_KIND_BOTH, "pool" },
	{ { 0x7000, 0x2000, 0x102000 }, 0x1000, TOUR_KIND_READ, "commands" },
	{ { 0x1000, NO, 0x8000000 }, 0x1000, TOUR_KIND_REFUSED, "canary" },
	{ { 0xf000, 0xfea00000, NO }, 0x100000, TOUR_KIND_REGISTERS, "registers" },
};
static struct tour_mark marks[] = {
	{ 0, 0x6c0, 2048, TOUR_KIND_OUT, "out" },
	{ 0, 0x1000, 2048, TOUR_KIND_IN, "in" },
};
static const struct tour_drawing drawing = {
	.device = "0000:00:10.0",
	.da_max = 0xfffffff,
	.spans = spans,
	.nb_spans = RTE_DIM(spans),
	.marks = marks,
	.nb_marks = RTE_DIM(marks),
};

static void
test_layout(void **state)
{
	static const unsigned int expected[TOUR_NB_SPACES][4] = { { 2, 0, 1, 3 }, { 1, 0, 3 },
		{ 0, 1, 2 } };
	static const unsigned int nb_expected[TOUR_NB_SPACES] = { 4, 3, 3 };
	struct tour_box boxes[4];
	unsigned int space, i, nb;

	(void)state;
	for (space = 0; space < TOUR_NB_SPACES; space++) {
		nb = tour_layout(&drawing, space, boxes);
		assert_int_equal(nb, nb_expected[space]);
		for (i = 0; i < nb; i++) {
			assert_int_equal(boxes[i].span, expected[space][i]);
			assert_true(i == 0 ||
					boxes[i].top > boxes[i - 1].top + boxes[i - 1].height);
		}
	}
	/* In X the commands lie right behind the pool, in Y they do not. */
	tour_layout(&drawing, TOUR_SPACE_X, boxes);
	assert_true(boxes[2].follows && !boxes[1].follows && !boxes[3].follows);
	tour_layout(&drawing, TOUR_SPACE_Y, boxes);
	assert_false(boxes[0].follows || boxes[1].follows || boxes[2].follows);
	/* Marks fit into their box, one below the other. */
	assert_true(boxes[1].height > boxes[0].height);
	assert_true(tour_mark_top(&drawing, 0) < tour_mark_top(&drawing, 1));
	assert_true(tour_mark_top(&drawing, 1) < boxes[1].height);
}

static unsigned int
count(const char *text, const char *what)
{
	unsigned int nb = 0;

	for (text = strstr(text, what); text != NULL; text = strstr(text + 1, what))
		nb++;
	return nb;
}

static void
test_svg(void **state)
{
	const struct tour_drawing empty = { .device = "0000:00:10.0" };
	size_t size;
	char *text;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(tour_svg_write(f, &drawing), 0);
	fclose(f);
	assert_int_equal(count(text, "class=\"mapping\""), 2);
	assert_int_equal(count(text,
					 "data-x=\"0x5000\" data-y=\"0x9000\" data-z=\"0x100000\" "
					 "data-len=\"8192\" data-access=\"rw\""),
			1);
	assert_int_equal(count(text, "data-access=\"r\""), 1);
	/* A buffer in each column; one refused; arrows: X to Y three times, Z to Y twice. */
	assert_int_equal(count(text, "class=\"buffer\""), 6);
	assert_int_equal(count(text, "class=\"refused\""), 1);
	assert_int_equal(count(text, "marker-end="), 5);
	assert_int_equal(count(text, "<text"), count(text, "</text>"));
	assert_int_equal(count(text, "</svg>"), 1);
	free(text);

	f = open_memstream(&text, &size);
	assert_int_equal(tour_svg_write(f, &empty), 0);
	fclose(f);
	assert_int_equal(count(text, "</svg>"), 1);
	free(text);

	f = fopen("/dev/full", "w");
	setbuf(f, NULL);
	assert_int_equal(tour_svg_write(f, &drawing), -EIO);
	fclose(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_svg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
