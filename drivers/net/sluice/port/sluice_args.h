/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Device arguments of the vdev and of the PCI port. Names and meanings are those of
 * net_virtio_user, so that changing a program over is changing a name. The list is in
 * doc/guides/nics/sluice.rst; keep both together.
 */

#ifndef SLUICE_ARGS_H
#define SLUICE_ARGS_H

#include <stdbool.h>
#include <stdint.h>

/* Virtqueue numbers are 8 bits in vhost-user. */
#define SLUICE_PAIRS_MAX 127

/* As net_virtio_user. */
#define SLUICE_QUEUE_SIZE_DEFAULT 256

/* Who spreads packets over receive queues when RSS is asked for. */
enum sluice_rss_arg {
	SLUICE_RSS_ARG_AUTO, /* the device if it can, else software */
	SLUICE_RSS_ARG_SW,
	SLUICE_RSS_ARG_OFF, /* nobody: the device puts them where it likes */
};

enum sluice_isolation {
	SLUICE_ISOLATION_SCOPED,
	SLUICE_ISOLATION_SEALED,
	SLUICE_ISOLATION_COPY,
	SLUICE_ISOLATION_NONE,
};

/* Why sealed ports refuse a pool, and what helps. */
#define SLUICE_SEALED_REMEDY \
	"isolation=sealed takes pools of rte_pmd_sluice_pktmbuf_pool_create() only: make it so, or " \
	"give bounce=1 to copy, or isolation=scoped"

/* As long as the name of an interface can be, with the end of the string. */
#define SLUICE_IFACE_LEN 16

/* Of one direction: how long, or for how many packets, a device may wait to interrupt. */
struct sluice_coal_args {
	uint32_t usecs;
	uint32_t pkts;
};

struct sluice_args {
	char path[108]; /* as long as a socket address can hold */
	bool is_kernel; /* path is a device node, that of vhost-net */
	bool is_vdpa;   /* path is a device node, that of a vDPA device */
	char iface[SLUICE_IFACE_LEN];
	bool has_iface; /* asked for */
	uint16_t nb_pairs;
	bool has_pairs; /* asked for; otherwise nb_pairs is what the device may have at most */
	/*
	 * Rings are made for so many slots; what is not asked for grows with what the application
	 * sets up.
	 */
	uint16_t queue_size;
	bool has_queue_size; /* asked for */
	bool has_mac;
	uint8_t mac[6];
	bool is_server;
	bool has_socket_mode;
	uint16_t socket_mode; /* permissions of the socket that a server makes */
	bool has_socket_group;
	uint32_t socket_group; /* group id that owns it */
	bool is_packed;
	bool has_packed; /* asked for, one way or the other */
	bool has_mrg;
	bool is_in_order;
	bool has_in_order; /* asked for, one way or the other */
	bool is_vectorized;
	bool has_csum;         /* transmit checksums may be left to the device */
	bool has_tso;          /* and segmentation */
	bool has_lro;          /* received packets may be of several segments */
	bool has_hash;         /* said whose hashes mbufs have, one way or the other */
	bool is_device_hash;   /* the device's, if it writes them into headers */
	bool completes_csum;   /* partial checksums of received packets are completed here */
	uint32_t speed;        /* Mbit/s; UINT32_MAX: unknown */
	bool is_idle_reclaim;  /* buffers of idle transmit queues come back by themselves */
	bool has_idle_reclaim; /* asked for, one way or the other */
	uint16_t busy_poll_us; /* the kernel looks for packets so long before it sleeps */
	enum sluice_isolation isolation;
	bool bounces; /* packets of pools that a sealed port does not show are copied */
	enum sluice_rss_arg rss;
	struct sluice_coal_args rx_coal, tx_coal;
	bool has_dma_debug; /* what the device has is checked */
	bool has_ro_rings;  /* asked for, one way or the other */
	bool is_ro_rings;
};

/* For the PMD information: what the parser takes. */
#define SLUICE_ARGS_STRING \
	"path=<path> iface=<name> queues=<int> queue_size=<int> mac=<mac> server=<0|1> socket_mode=<octal> " \
	"socket_group=<group> packed_vq=<0|1> mrg_rxbuf=<0|1> in_order=<0|1> vectorized=<0|1> " \
	"csum=<0|1> complete_csum=<0|1> tso=<0|1> lro=<0|1> speed=<int> idle_reclaim=<0|1> " \
	"busy_poll_us=<int> isolation=<scoped|sealed|copy|none> bounce=<0|1> ro_rings=<0|1> rss=<sw|off> hash=<0|1> " \
	"dma_debug=<0|1>"

#define SLUICE_PCI_ARGS_STRING \
	"sluice=<0|1> queues=<int> queue_size=<int> packed_vq=<0|1> mrg_rxbuf=<0|1> " \
	"in_order=<0|1> vectorized=<0|1> csum=<0|1> complete_csum=<0|1> tso=<0|1> lro=<0|1> " \
	"speed=<int> idle_reclaim=<0|1> isolation=<scoped|sealed|copy> bounce=<0|1> " \
	"ro_rings=<0|1> rss=<sw|off> hash=<0|1> rx_coal_usecs=<int> rx_coal_pkts=<int> tx_coal_usecs=<int> tx_coal_pkts=<int> " \
	"dma_debug=<0|1> vdpa=<0|1>"

/* Is the device to wait at all? */
static inline bool
sluice_coal_is_asked(const struct sluice_coal_args *c)
{
	return c->usecs != 0 || c->pkts != 0;
}

/*
 * Parse "key=value,key=value". Logs what is wrong with which key, and what is allowed.
 * -EINVAL, or -ENOMEM.
 */
int sluice_args_parse(const char *params, struct sluice_args *out);

/* What hangs on who is at the other end of the path; for sluice_args_parse(). Logs. -EINVAL. */
int sluice_args_check_path(struct sluice_args *args);

/*
 * The number of a group of this machine, for sluice_args_parse(). The names of all its members come
 * with it, and they may be many. -EINVAL: there is none, or those are too long.
 */
int sluice_args_find_group(const char *name, uint32_t *gid);

/*
 * The same for a PCI device. *is_ours tells whether it was given to this driver with sluice=1.
 * Without the key, and with sluice=0, the arguments are another driver's: nothing is checked or
 * logged, and the result is 0. A key that means us with another value, or in other letters, is an
 * error of ours: no other driver shall take such a device.
 */
int sluice_args_parse_pci(const char *params, struct sluice_args *out, bool *is_ours);

#endif /* SLUICE_ARGS_H */
