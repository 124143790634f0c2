/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The batch primitives of this compilation. meson compiles the path files once per instruction set,
 * with SLUICE_ISA_<set> and the compiler's options for it.
 */

#ifndef SLUICE_VEC_H
#define SLUICE_VEC_H

#if defined(SLUICE_ISA_AVX512)
#include "sluice_vec_avx512.h"
#define SLUICE_ISA_NAME(name) name##_avx512
#elif defined(SLUICE_ISA_AVX2)
#include "sluice_vec_avx2.h"
#define SLUICE_ISA_NAME(name) name##_avx2
#elif defined(SLUICE_ISA_NEON)
#include "sluice_vec_neon.h"
#define SLUICE_ISA_NAME(name) name##_neon
#else
#include "sluice_vec_none.h"
#define SLUICE_ISA_NAME(name) name
#endif

#endif /* SLUICE_VEC_H */
