/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What dpdk-pmdinfo.py reads from the plug-in's file. DPDK's build makes such strings with a tool that
 * distributions do not install.
 */

#include <rte_common.h>

#include "sluice_args.h"

static const char sluice_pmdinfo[] __rte_used =
		"PMD_INFO_STRING= {\"name\": \"net_sluice\", \"params\": \"" SLUICE_ARGS_STRING
		"\", "
		"\"pci_ids\": []}";
