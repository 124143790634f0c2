// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * To be preloaded: lets any program look as if it ran with another release of DPDK, year and month
 * of which are in the environment.
 */
#include <stdio.h>
#include <stdlib.h>

unsigned int rte_version_year(void);
unsigned int rte_version_month(void);
const char *rte_version(void);

static unsigned int
number(const char *name)
{
	const char *text = getenv(name);

	return text == NULL ? 0 : atoi(text);
}

unsigned int
rte_version_year(void)
{
	return number("OTHER_YEAR");
}

unsigned int
rte_version_month(void)
{
	return number("OTHER_MONTH");
}

const char *
rte_version(void)
{
	static char version[32];

	snprintf(version, sizeof(version), "DPDK %u.%02u.0", rte_version_year(),
			rte_version_month());
	return version;
}
