/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Precompiled where a build asks for it (-Db_pch=true). By this header of DPDK all that knows
 * mbufs gets the compiler's vector intrinsics, and to read those takes longer than to compile a
 * file of the control path.
 */

#ifndef SLUICE_PCH_H
#define SLUICE_PCH_H

#include <rte_memcpy.h>

#endif /* SLUICE_PCH_H */
