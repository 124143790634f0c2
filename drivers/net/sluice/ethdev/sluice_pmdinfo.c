/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What dpdk-pmdinfo.py reads from the plug-in's file. DPDK's build makes such strings with a tool
 * that distributions do not install.
 */

#include <rte_common.h>

#include "sluice_args.h"

static const char sluice_pmdinfo[] __rte_used =
		"PMD_INFO_STRING= {\"name\": \"net_sluice\", \"params\": \"" SLUICE_ARGS_STRING
		"\", "
		"\"pci_ids\": []}";

/* Vendor, device, and any subsystem, in decimal as the tool wants them: 1af4:1041 and 1af4:1000. */
static const char sluice_pci_pmdinfo[] __rte_used =
		"PMD_INFO_STRING= {\"name\": \"net_sluice_pci\", "
		"\"params\": \"" SLUICE_PCI_ARGS_STRING "\", \"kmod\": \"* vfio-pci\", "
		"\"pci_ids\": [[6900, 4161, 65535, 65535], [6900, 4096, 65535, 65535]]}";
