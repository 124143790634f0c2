/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Precompiled with -Dpch=true. Everything that includes rte_mbuf.h gets this header of DPDK, and
 * with it the compiler's vector intrinsics. Reading those takes longer than compiling a file of
 * the control path.
 */

#ifndef SLUICE_PCH_H
#define SLUICE_PCH_H

#include <rte_memcpy.h>

#endif /* SLUICE_PCH_H */
