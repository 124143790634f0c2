/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 *
 * Tells ThreadSanitizer what EAL's heap orders: who gets memory comes after those who gave it
 * back. EAL is not built for the sanitizer, so that it does not see the heap's lock. The libraries
 * of a program that has this file call these functions.
 */
#include <dlfcn.h>
#include <stddef.h>

#include <rte_malloc.h>
#include <sanitizer/tsan_interface.h>

static char heap;

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

void
rte_free(void *memory)
{
	__tsan_release(&heap);
	NEXT(rte_free)(memory);
}

void *
rte_zmalloc(const char *type, size_t size, unsigned int align)
{
	void *memory = NEXT(rte_zmalloc)(type, size, align);

	__tsan_acquire(&heap);
	return memory;
}

void *
rte_zmalloc_socket(const char *type, size_t size, unsigned int align, int socket)
{
	void *memory = NEXT(rte_zmalloc_socket)(type, size, align, socket);

	__tsan_acquire(&heap);
	return memory;
}
