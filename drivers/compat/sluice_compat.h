/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Differences between DPDK releases. Every C file gets this header by "-include" (see meson.build); it is
 * the only place of the tree that names a DPDK version, so that the driver text can follow the newest
 * release.
 */

#ifndef SLUICE_COMPAT_H
#define SLUICE_COMPAT_H

#include <string.h>

#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "Sluice needs DPDK 22.11 or later"
#endif
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
#error "Sluice was not ported to this DPDK release yet: the private driver structs differ"
#endif

/*
 * The private driver structs (eth_dev_ops, rte_eth_dev) may change between any two YY.MM releases although
 * the SONAME stays, so a plug-in works only with the release it was built for. LTS patch releases keep them.
 */
static inline int
sluice_compat_dpdk_matches(void)
{
	return rte_version_year() == RTE_VER_YEAR && rte_version_month() == RTE_VER_MONTH;
}

/* The release this was built for, for messages: "22.11". */
static inline unsigned int
sluice_compat_built_year(void)
{
	return RTE_VER_YEAR;
}

static inline unsigned int
sluice_compat_built_month(void)
{
	return RTE_VER_MONTH;
}

#endif /* SLUICE_COMPAT_H */
