/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the driver needs of a transport: the way to reach a device, learn what it can do, show it
 * memory and rings, start and stop it. The transport logs what went wrong (who, at which step, how
 * to cure it) and returns a negative errno; the caller need not log again.
 *
 * Time: whoever talks to a device sets a deadline first (sluice_transport_begin()), one for all
 * exchanges that follow. No operation waits beyond it, and none waits after cut().
 *
 * Errors: -EREMOTEIO means that the device understood and refused; the conversation may go on.
 * After any other error of an exchange the transport is broken: what follows fails at once, and the
 * only thing left is disconnect().
 *
 * Threads: everything is called with the port's lock held, except where said otherwise.
 */

#ifndef SLUICE_TRANSPORT_H
#define SLUICE_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "sluice_clock.h"
#include "dmap.h"
#include "sluice_spec.h"

/*
 * For devices that may be no CPU (6.3): x86 keeps the order of stores and of loads for whoever
 * looks at memory, and its full fence holds there, too. On other architectures the rings' barriers
 * order memory for CPUs, and the feature is not accepted.
 */
#ifdef RTE_ARCH_X86
#define SLUICE_ORDER_FEATURES SLUICE_BIT(SLUICE_F_ORDER_PLATFORM)
#else
#define SLUICE_ORDER_FEATURES 0
#endif

/* What a device says of itself. */
struct sluice_device_info {
	sluice_features features; /* offered */
	uint16_t nb_pairs_max;    /* queue pairs that it can serve */
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu;       /* 0: not told */
	uint32_t rss_types; /* RSS, HASH_REPORT: what it can hash (5.1.6.4.3.1) */
	/* slots of receive and transmit rings; 0: no limit of the device's own */
	uint16_t size_max[2];
	/* Translates addresses by itself, and keeps what it was told: PCI's ATS, or VDUSE. */
	bool has_ats;
};

/* What a device says of itself while it runs. */
struct sluice_device_state {
	bool is_gone;     /* not there any more */
	bool needs_reset; /* it met an error that it cannot recover from (2.1.1) */
	bool is_link_up;  /* true if the device does not tell */
	uint32_t speed;   /* Mbit/s; UINT32_MAX: not told */
	bool is_half_duplex;
	uint16_t mtu;        /* 0: not told, or as it was told at connect */
	bool wants_announce; /* the driver shall make itself known to the network (5.1.6.5.4) */
};

/* How to notify the device of one virtqueue, where it is not an eventfd. */
struct sluice_notify {
	volatile void *addr;
	bool has_data; /* NOTIFICATION_DATA: 32 bits that say what is new (2.9) */
};

/*
 * The pages in which notification registers lie, for another process: it maps the same piece of the
 * file at the same address, and needs nothing else of the device.
 */
struct sluice_notify_pages {
	void *va; /* in this process */
	size_t len;
	int fd; /* belongs to the transport */
	uint64_t offset;
};

/*
 * One virtqueue, ready to be started. The same places in shown memory, for the CPU and for the
 * device.
 */
struct sluice_vq_setup {
	uint16_t vq;
	uint16_t size;
	bool is_packed;
	void *dv_desc;
	void *dv_driver;
	void *dv_device;
	struct dmap_addr desc_da;
	struct dmap_addr driver_da;
	struct dmap_addr device_da;
	int kick_fd;
	int call_fd; /* written when the device interrupts; -1: it need not */
};

/* What a look at the descriptors of a transport told. */
enum sluice_news {
	SLUICE_NEWS_NONE,
	SLUICE_NEWS_PEER,   /* not connected: somebody may be there now */
	SLUICE_NEWS_DEVICE, /* connected: check() and state() have something to say */
};

/* What a transport is and can. */
enum sluice_transport_flag {
	/*
	 * Queues have sizes and notification registers of their own; a reset always ends by
	 * stopping.
	 */
	SLUICE_TRANSPORT_HAS_REGISTERS = 1 << 0,
	/* What the device could reach can be taken away from it at any time, whatever it says. */
	SLUICE_TRANSPORT_CAN_REVOKE = 1 << 1,
	/* state() tells of link and trouble, and must be asked once in a while. */
	SLUICE_TRANSPORT_HAS_STATUS = 1 << 2,
	/* Many queues are asked for on the control queue, and only if they are used. */
	SLUICE_TRANSPORT_HAS_CTRL_VQ = 1 << 3,
	/* Memory can be the device's to read, and not to write. */
	SLUICE_TRANSPORT_HAS_READ_ONLY = 1 << 4,
	/*
	 * A receive ring that is not enabled is not touched: what it offers may be changed in place
	 * until it is enabled again.
	 */
	SLUICE_TRANSPORT_CAN_DISABLE = 1 << 5,
};

struct sluice_transport {
	const struct sluice_transport_ops *ops;
	int64_t deadline; /* of the conversation under way (sluice_clock_ms()) */
	uint32_t is_cut;  /* atomic: no wait for the device goes on */
	/* nobody asked for this try: what was said of the last one is not said again */
	bool is_retry;
};

/* Descriptors that a transport may want to be polled. */
#define SLUICE_TRANSPORT_FDS 3

struct sluice_transport_ops {
	const char *name;
	const char *peer;         /* what is at the other end, for messages */
	unsigned int flags;       /* enum sluice_transport_flag */
	sluice_features features; /* that this transport asks for beside those of the port */
	/*
	 * Reach the device and learn about it. -EAGAIN: nobody there yet. A client whose try is no
	 * retry says what is missing and returns another error.
	 */
	int (*connect)(struct sluice_transport *t, struct sluice_device_info *info);
	/*
	 * Let go of the device; fine when not connected. Returns a descriptor, now the caller's, at
	 * which the end of file says that the other side let go, too, and of which reads do not
	 * block; -1: there is nothing to wait for.
	 */
	int (*disconnect)(struct sluice_transport *t);
	bool (*is_connected)(const struct sluice_transport *t);
	/*
	 * Is the connection whole? -ECONNRESET: the other side ended it. -EPROTO: it said what
	 * nobody asked for. Where a device cannot hang up: 0, unless it was cut.
	 */
	int (*check)(struct sluice_transport *t);
	/*
	 * Any thread, no lock: stop the device from outside as far as that goes (end of file for a
	 * back end, no bus mastership for a PCI device), and end all waits for it. It stays
	 * connected until disconnect().
	 */
	void (*cut)(struct sluice_transport *t);
	/*
	 * Show exactly these regions. 0 when not connected: the port shows again after connect.
	 * NULL where an IOMMU decides what the device sees, not a message.
	 */
	int (*show)(struct sluice_transport *t, const struct dmap_region *regions, unsigned int nb);
	/* Device status up to FEATURES_OK (3.1.1). mtu is told to the device if it is not 0. */
	int (*begin)(struct sluice_transport *t, sluice_features features, uint16_t mtu);
	int (*vq_start)(struct sluice_transport *t, const struct sluice_vq_setup *vq);
	/* DRIVER_OK (3.1.1); the first nb_vqs virtqueues run from here on. */
	int (*commit)(struct sluice_transport *t, uint16_t nb_vqs);
	/*
	 * Between commit and vq_stop: may packets come in this virtqueue? If not, none comes any
	 * more when this returned 0. NULL where there is no word for that.
	 */
	int (*vq_enable)(struct sluice_transport *t, uint16_t vq, bool is_enabled);
	/* The device does not touch the virtqueue any more when this returned 0. */
	int (*vq_stop)(struct sluice_transport *t, uint16_t vq);
	/*
	 * With RING_RESET (2.6.1): the device does not touch this virtqueue any more when this
	 * returned 0, and knows nothing of it until vq_start; the others go on. NULL: the transport
	 * has no word for that, and does not ask for the feature.
	 */
	int (*vq_reset)(struct sluice_transport *t, uint16_t vq);
	/*
	 * Device status 0. With registers: a device that does not acknowledge is stopped from
	 * outside.
	 */
	int (*reset)(struct sluice_transport *t);
	/*
	 * The other side has the port's address, or MTU, for its own from now on. 0 when not
	 * connected: the port tells it after connect, or by begin. NULL: nobody there is to know.
	 */
	int (*set_mac)(struct sluice_transport *t, const uint8_t *mac);
	int (*set_mtu)(struct sluice_transport *t, uint16_t mtu);
	/*
	 * What the control thread should poll for, at most SLUICE_TRANSPORT_FDS; returns how many.
	 * Without wants_peer nothing that tells of somebody to connect to.
	 */
	unsigned int (*poll_fds)(struct sluice_transport *t, bool wants_peer, struct pollfd *pfds);
	/* The same descriptors after poll(2). No lock is held: it only reads what wakes. */
	enum sluice_news (*polled)(
			struct sluice_transport *t, const struct pollfd *pfds, unsigned int nb);
	/*
	 * Slots that a virtqueue can have; 0: it does not exist. NULL: the device has no limit of
	 * its own.
	 */
	uint16_t (*vq_size_max)(const struct sluice_transport *t, uint32_t vq);
	/*
	 * With HAS_REGISTERS; otherwise NULL.
	 * How to notify a virtqueue that was started.
	 */
	struct sluice_notify (*notify)(const struct sluice_transport *t, uint16_t vq);
	/*
	 * Where that of the first nb_vqs virtqueues is, which all were started. -errno: no other
	 * process can have it.
	 */
	int (*notify_pages)(const struct sluice_transport *t, uint16_t nb_vqs,
			struct sluice_notify_pages *out);
	/*
	 * Interrupts of receive queue i go to fds[i] from the next begin on; nb 0: there are none.
	 * fds stays valid until the next call. Called while no device runs. -errno: there are none,
	 * and why was logged. NULL where vq_start is told all.
	 */
	int (*set_queue_irqs)(struct sluice_transport *t, const int *fds, uint16_t nb);
	/* With HAS_STATUS. Any thread, any time until destroy. */
	void (*state)(struct sluice_transport *t, struct sluice_device_state *state);
	/* What is at the other end, in one line. Any thread. */
	void (*describe)(const struct sluice_transport *t, char *buf, size_t len);
	/*
	 * Its registers, at most nb words of 32 bits; returns how many there are. NULL: there are
	 * none.
	 */
	unsigned int (*regs)(struct sluice_transport *t, uint32_t *out, unsigned int nb);
	void (*destroy)(struct sluice_transport *t);
};

static inline bool
sluice_transport_can(const struct sluice_transport *t, enum sluice_transport_flag flag)
{
	return (t->ops->flags & flag) != 0;
}

/* A conversation starts: all of it ends within ms milliseconds. */
static inline void
sluice_transport_begin(struct sluice_transport *t, unsigned int ms)
{
	t->deadline = sluice_clock_ms() + ms;
}

static inline bool
sluice_transport_is_cut(const struct sluice_transport *t)
{
	return rte_atomic_load_explicit(&t->is_cut, rte_memory_order_acquire) != 0;
}

/* Milliseconds that a wait may still take; 0: it is over. */
static inline int
sluice_transport_left(const struct sluice_transport *t)
{
	int64_t left = sluice_transport_is_cut(t) ? 0 : t->deadline - sluice_clock_ms();

	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}
/* Who may connect to the socket of a server, beside its owner. */
struct sluice_socket_access {
	bool has_mode;
	uint16_t mode; /* permissions */
	bool has_group;
	uint32_t group;
};

struct sluice_vhost_user_conf {
	const char *path;
	bool is_server;
	struct sluice_socket_access access;
};

/* Make a vhost-user front end. A server listens from here on; a client does nothing yet. */
int sluice_vhost_user_create(
		const struct sluice_vhost_user_conf *conf, struct sluice_transport **out);

struct sluice_vk_sys;

struct sluice_vhost_kernel_conf {
	const char *path; /* the device node of vhost-net */
	/* The interface, up to 15 characters; %d: a number of the kernel's choice. */
	const char *iface;
	uint16_t nb_pairs;     /* as many queues has the interface */
	uint16_t busy_poll_us; /* the kernel looks for packets so long before it sleeps */
	bool has_mac;
	uint8_t mac[6];
	const struct sluice_vk_sys *sys; /* NULL: Linux */
};

/* Make the front end of the kernel's vhost-net. It does nothing before connect. */
int sluice_vhost_kernel_create(
		const struct sluice_vhost_kernel_conf *conf, struct sluice_transport **out);

struct sluice_vhost_vdpa_conf {
	const char *path;                /* the device node */
	const struct sluice_vk_sys *sys; /* NULL: Linux */
};

/* Make the front end of a vDPA device. It does nothing before connect. */
int sluice_vhost_vdpa_create(
		const struct sluice_vhost_vdpa_conf *conf, struct sluice_transport **out);

/*
 * How the PCI transport touches a device: the only way, so that a device made of software can stand
 * in for one. Registers are accessed with exactly the width asked for, 1, 2 or 4 bytes, at offsets
 * that were checked against the BAR's length and are multiples of the width.
 */
struct sluice_pci_place {
	uint8_t bar;
	uint64_t offset;
};

/*
 * Where interrupts go. Vector 0 means anything: event_fd and all of queue_fds are written. Vector 1
 * + i means that receive queue i has news: queue_fds[i] is written. There are no vectors without
 * MSI-X; what is said of vector 0 holds for the one interrupt of such a device.
 */
struct sluice_pci_irqs {
	int event_fd;
	const struct sluice_pci_place
			*isr; /* without MSI-X: the interrupt status, to be read each time */
	const int *queue_fds; /* valid until irq_stop */
	uint16_t nb_queue_fds;
	uint16_t nb_queue_vectors; /* vectors beside vector 0; no more than nb_queue_fds */
};

struct sluice_pci_bar_ops {
	/* Read from configuration space; 0 or -errno. */
	int (*read_config)(void *ctx, void *buf, size_t len, uint32_t offset);
	/* Bytes of a BAR; 0: not there, or no memory. */
	uint64_t (*bar_len)(void *ctx, uint8_t bar);
	uint32_t (*read)(void *ctx, uint8_t bar, uint64_t offset, uint8_t width);
	void (*write)(void *ctx, uint8_t bar, uint64_t offset, uint8_t width, uint32_t value);
	/* Where a polling core writes to notify the device. */
	volatile void *(*address)(void *ctx, uint8_t bar, uint64_t offset);
	/*
	 * A descriptor, which belongs to the device, of a file in which the BAR begins at offset.
	 * -errno: there is none that could be mapped.
	 */
	int (*file)(void *ctx, uint8_t bar, uint64_t *offset);
	/* Have interrupts written to eventfds. -errno: there are none. */
	int (*irq_start)(void *ctx, const struct sluice_pci_irqs *irqs);
	void (*irq_stop)(void *ctx);
	/* Let the device use the bus, or stop it from outside when it does not answer. */
	void (*set_running)(void *ctx, bool is_running);
	/* The last call: the device is closed. */
	void (*close)(void *ctx);
};

struct sluice_pci_conf {
	const char *name; /* for messages */
	const struct sluice_pci_bar_ops *ops;
	void *ctx;
	uint16_t nb_pairs_max; /* more are not looked at */
};

/* Make the PCI transport of a device that is open. On success ctx belongs to it. */
int sluice_pci_create(const struct sluice_pci_conf *conf, struct sluice_transport **out);

#endif /* SLUICE_TRANSPORT_H */
