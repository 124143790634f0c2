/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the plug-in asks of the C library, the kernel and EAL fails now and then, while the program
 * has set shortage_on: one call in SHORT_ONE_IN of the function that SHORT_OF names, or of all
 * below, if it is not there. shortage_nb says how many did.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int shortage_on;
unsigned int shortage_nb;

static uintptr_t begin, end; /* of the plug-in's text */
static unsigned int nb_calls;

/* DPDK's. */
extern __thread int per_lcore__rte_errno __attribute__((weak));

static int
find_plugin(struct dl_phdr_info *info, size_t len, void *arg)
{
	const ElfW(Phdr) * p;

	(void)len;
	(void)arg;
	if (strstr(info->dlpi_name, "librte_net_sluice.so") == NULL)
		return 0;
	for (p = info->dlpi_phdr; p < info->dlpi_phdr + info->dlpi_phnum; p++)
		if (p->p_type == PT_LOAD && (p->p_flags & PF_X) != 0) {
			begin = info->dlpi_addr + p->p_vaddr;
			end = begin + p->p_memsz;
		}
	return 1;
}

static void
look(void)
{
	dl_iterate_phdr(find_plugin, NULL);
}

static bool
fails(const char *name, uintptr_t from, int err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const char *only = getenv("SHORT_OF"), *one_in = getenv("SHORT_ONE_IN");

	if (__atomic_load_n(&shortage_on, __ATOMIC_ACQUIRE) == 0)
		return false;
	pthread_once(&once, look);
	if (from < begin || from >= end || (only != NULL && strcmp(only, name) != 0))
		return false;
	if (__atomic_fetch_add(&nb_calls, 1, __ATOMIC_RELAXED) % atoi(one_in) != 0)
		return false;
	__atomic_fetch_add(&shortage_nb, 1, __ATOMIC_RELAXED);
	errno = err;
	if (&per_lcore__rte_errno != NULL)
		per_lcore__rte_errno = err;
	return true;
}

/* Six arguments at most, each a word, as is what comes back. */
#define WORDS long a, long b, long c, long d, long e, long f
#define SHORT(name, answer, err) \
	long short_##name(WORDS) __asm__(#name); \
	long short_##name(WORDS) \
	{ \
		static long (*real)(WORDS); \
		if (real == NULL) \
			*(void **)&real = dlsym(RTLD_NEXT, #name); \
		if (fails(#name, (uintptr_t)__builtin_return_address(0), err)) \
			return answer; \
		return real(a, b, c, d, e, f); \
	}

SHORT(malloc, 0, ENOMEM)
SHORT(calloc, 0, ENOMEM)
SHORT(realloc, 0, ENOMEM)
SHORT(mmap64, -1, ENOMEM)
SHORT(eventfd, -1, EMFILE)
SHORT(memfd_create, -1, EMFILE)
SHORT(ftruncate64, -1, ENOSPC)
SHORT(socket, -1, EMFILE)
SHORT(bind, -1, ENOMEM)
SHORT(listen, -1, ENOBUFS)
SHORT(accept4, -1, EMFILE)
SHORT(sendmsg, -1, ENOBUFS)
SHORT(rte_zmalloc, 0, ENOMEM)
SHORT(rte_zmalloc_socket, 0, ENOMEM)
SHORT(rte_memzone_reserve_aligned, 0, ENOMEM)
SHORT(rte_ctrl_thread_create, -EAGAIN, EAGAIN)
SHORT(rte_intr_instance_alloc, 0, ENOMEM)
SHORT(rte_intr_vec_list_alloc, -ENOMEM, ENOMEM)
SHORT(rte_mempool_event_callback_register, -ENOMEM, ENOMEM)
SHORT(rte_mem_event_callback_register, -1, ENOMEM)
SHORT(rte_memseg_get_fd, -1, ENODEV)
