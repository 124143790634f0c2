/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the parts of sluice-bench share: the case to measure, the options, and the record that a
 * measuring process hands to the reporting one through a pipe (same program, same layout).
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "bench_slice.h"
#include "null_dev.h"

/* The third side is a second instance of A, for the control. */
enum bench_side { SIDE_A, SIDE_B, SIDE_C, NB_SIDES };
enum bench_dir { DIR_TX, DIR_RX, NB_DIRS };

/* What a measuring process does; bench_metric.h says what comes out. */
enum bench_mode { MODE_STEP, MODE_CROSS, MODE_LATENCY, NB_MODES };

/* What the application transmits. */
enum bench_packets {
	PACKETS_PLAIN,  /* mbufs of one pool that nobody else holds */
	PACKETS_CLONES, /* indirect mbufs, attached to others */
	PACKETS_SHARED, /* the application holds a reference during the call */
	PACKETS_POOLS,  /* mbufs of two pools in turn */
	/* plain ones that ask for something; rte_eth_tx_prepare() is part of the call */
	PACKETS_CSUM, /* a UDP checksum */
	PACKETS_IPV4, /* that, and an IPv4 checksum */
	PACKETS_VLAN, /* that, and a VLAN tag */
	PACKETS_TSO,  /* segments of TCP, and an IPv4 checksum */
	NB_PACKETS
};

#define BENCH_METRICS 6 /* most that a mode has */
#define BENCH_MAX_LIST 16
#define BENCH_MAX_BURST 512
#define BENCH_MAX_SEGS 8
#define BENCH_MAX_FRAME 9000
#define BENCH_MAX_TSO 16384   /* of a packet that is sent to be segmented */
#define BENCH_ONE_BUFFER 1518 /* a frame of at most this is one segment for both drivers */
#define BENCH_POOL_CACHE 256  /* mbufs of a pool in its cache */
#define BENCH_NAME_LEN 64
#define BENCH_NB_PASSES 2 /* of the instruction count: they must agree */

/* Exit statuses */
enum { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 2, BENCH_DIFFER = 3 };

struct bench_list {
	unsigned int nb;
	unsigned int v[BENCH_MAX_LIST];
};

struct bench_opts {
	const char *vdev[2]; /* A and B: driver name or vdev string */
	const char *args[2]; /* further devargs */
	struct bench_list queues;
	struct bench_list bursts;
	struct bench_list models;
	struct bench_list pairs; /* queue pairs of a port */
	struct bench_list loads; /* latency: percent of the slower side's most; else one, 0 */
	enum bench_mode mode;
	unsigned int frame_len;
	unsigned int nb_segs; /* mbufs of a transmitted packet */
	enum bench_packets packets;
	unsigned int rx_mbufs; /* of the Rx pool; 0: enough at any time */
	unsigned int nb_blocks;
	unsigned int nb_restarts;
	unsigned int nb_segments; /* step: of a window; its value is their median */
	unsigned int window_ms;   /* cross, latency: of a window */
	unsigned int simd_bits;   /* 0: what EAL chooses */
	unsigned int mem_mb;      /* 0: as much as the case needs */
	int core;                 /* of the driver; default the last one that we may use */
	int device_core;          /* cross, latency; default the first one that we may use */
	uint64_t hide;            /* feature bits that the device does not offer */
	bool allow_different;
	bool is_cold;
	bool is_shuffled; /* the device completes out of order */
	bool rx_csum;
	bool data_valid; /* the device says of each packet that its checksum is right */
	bool rx_vlan;    /* it tags each packet, and the port takes the tag off */
	bool rx_ipv4;    /* the port checks IPv4 headers, and all are right */
	bool count_instructions;
	bool use_marks; /* for a plug-in of the emulator, which counts then */
	bool no_huge;
	const char *json_path;
	/* of a measuring process */
	int result_fd; /* -1: this is the reporting process */
	unsigned int restart;
	unsigned int case_nr; /* of so many */
	unsigned int nb_cases;
	const char *dir;
	const char *plugin; /* NULL: the usual one, if a side needs it */
	/* given to EAL as they are */
	int nb_eal_args;
	char **eal_args;
};

struct bench_case {
	unsigned int queue;
	unsigned int burst;
	enum null_model model;
	unsigned int pairs;
	unsigned int load;
	unsigned int nr; /* of nb */
	unsigned int nb;
};

/* One window. */
struct bench_sample {
	double value[BENCH_METRICS];
	double idle[BENCH_METRICS]; /* share of its time in which the device found no work */
	struct bench_pauses pauses; /* latency */
	bool is_disturbed;          /* the core was taken away meanwhile */
};

/* One A B B A block and one A C C A block. */
struct bench_block {
	double a[BENCH_METRICS];
	double b[BENCH_METRICS];
	double control_a[BENCH_METRICS];
	double control_c[BENCH_METRICS];
	double idle[2][BENCH_METRICS]; /* the device's, with A and with B */
	struct bench_pauses pauses[2]; /* latency: met by A and by B */
	double line; /* TSC cycles of a cache line to the device's core and back, if it has one */
	uint32_t nb_disturbed; /* windows, calibrations, and moves of the cores */
	uint32_t nb_redone;    /* blocks thrown away before this one, as disturbed */
};

struct bench_side_info {
	char vdev[256];
	char mode[NB_DIRS][BENCH_NAME_LEN]; /* burst mode, empty if the driver does not tell */
	uint64_t features;
	bool has_device; /* false: no null device, so nobody tells its features */
	bool is_pci;
	uint64_t sent;
	uint64_t seen; /* by the device */
	uint64_t produced;
	uint64_t received;
	uint64_t not_echoed; /* latency: dropped by the device for want of a buffer */
	uint64_t bursts;
	uint64_t kicks;
	double instructions[BENCH_NB_PASSES][NB_DIRS]; /* per packet */
	/* with --marks: calls of full bursts; packets in mode cross */
	uint64_t marked[BENCH_METRICS];
};

/* Followed in the pipe by `nb_blocks` blocks. */
struct bench_result {
	uint32_t magic;
	uint32_t nb_blocks;
	uint32_t pair_cycles; /* what lfence;rdtsc;lfence twice costs, subtracted */
	uint64_t tsc_hz;
	struct bench_side_info side[NB_SIDES];
};

#define BENCH_MAGIC 0x51b3c004u

/* Instructions are exact: no control is needed. */
static inline unsigned int
bench_nb_sides(const struct bench_opts *opts)
{
	return opts->count_instructions ? SIDE_B + 1 : NB_SIDES;
}

/* The measuring process; returns an exit status. */
int bench_child_run(const struct bench_opts *opts, const char *program);

#endif /* BENCH_H */
