#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# A user of vhost-vdpa gives it an eventfd (VHOST_VDPA_SET_CONFIG_CALL), which is written when the device's configuration changes,
# a link that goes down for instance. Like VHOST_SET_VRING_CALL that could hold until another one is given. Where the device is
# one of VDUSE, its reset (VHOST_VDPA_SET_STATUS with 0), with which a driver begins, takes the eventfd away from the device, and no
# change is told any more, without an error: it has to be given behind each reset. Seen in a guest with Linux 6.12; takes a C
# compiler and curl.

. "$(dirname "$0")/lib.sh"
KERNEL=6.12.95+deb12-amd64
VERSION=1:7.2+dfsg-7+deb12u18+b3
unpack qemu-system-x86 qemu-system-common
VERSION=6.12.95-1~bpo12+1
curl -sf -o "$FOLDER/kernel.deb" \
	"http://deb.debian.org/debian/pool/main/l/linux-signed-amd64/linux-image-${KERNEL}_${VERSION}_amd64.deb" ||
	refuse "linux-image-$KERNEL $VERSION cannot be had from deb.debian.org"
dpkg-deb -x "$FOLDER/kernel.deb" "$FOLDER/kernel"

cat >"$FOLDER/init.c" <<'END'
#include <fcntl.h>
#include <linux/vduse.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DO(call) ((call) < 0 ? perror(#call), sync(), reboot(RB_POWER_OFF) : 0)

static int server, device, event;

static void *
agree(void *arg)
{
	struct vduse_dev_response response = { .result = VDUSE_REQ_RESULT_OK };
	struct vduse_dev_request request;

	while (read(server, &request, sizeof(request)) == sizeof(request)) {
		response.request_id = request.request_id;
		DO(write(server, &response, sizeof(response)));
	}
	return arg;
}

static int
open_soon(const char *path)
{
	int fd = -1, n;

	for (n = 0; n < 100 && (fd = open(path, O_RDWR)) < 0; n++)
		usleep(100000);
	DO(fd);
	return fd;
}

static void
make(void)
{
	struct vduse_dev_config *config = calloc(1, sizeof(*config) + sizeof(struct virtio_net_config));
	struct vduse_vq_config vq = { .max_size = 256 };
	unsigned long long version = VDUSE_API_VERSION;
	int control = open_soon("/dev/vduse/control");
	pthread_t thread;

	strcpy(config->name, "v");
	config->device_id = VIRTIO_ID_NET;
	config->features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_ACCESS_PLATFORM | 1ULL << VIRTIO_NET_F_STATUS;
	config->vq_num = 2;
	config->vq_align = 4096;
	config->config_size = sizeof(struct virtio_net_config);
	DO(ioctl(control, VDUSE_SET_API_VERSION, &version));
	DO(ioctl(control, VDUSE_CREATE_DEV, config));
	server = open_soon("/dev/vduse/v");
	for (vq.index = 0; vq.index < 2; vq.index++)
		DO(ioctl(server, VDUSE_VQ_SETUP, &vq));
	pthread_create(&thread, NULL, agree, NULL);
	if (fork() == 0) {
		setenv("LD_LIBRARY_PATH", "/lib64", 1);
		execl("/vdpa", "vdpa", "dev", "add", "name", "v", "mgmtdev", "vduse", NULL);
		_exit(1);
	}
	wait(NULL);
	device = open_soon("/dev/vhost-vdpa-0");
	DO(ioctl(device, VHOST_SET_OWNER));
}

static void
start(void)
{
	const __u8 steps[] = { 0, VIRTIO_CONFIG_S_ACKNOWLEDGE, VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_FEATURES_OK,
		VIRTIO_CONFIG_S_DRIVER_OK };
	__u64 features;
	__u8 status = 0;
	unsigned int n;

	for (n = 0; n < sizeof(steps); n++) {
		if (steps[n] == VIRTIO_CONFIG_S_FEATURES_OK) {
			DO(ioctl(device, VHOST_GET_FEATURES, &features));
			DO(ioctl(device, VHOST_SET_FEATURES, &features));
		}
		status |= steps[n];
		DO(ioctl(device, VHOST_VDPA_SET_STATUS, &status));
	}
}

static const char *
told(void)
{
	struct pollfd pfd = { .fd = event, .events = POLLIN };
	eventfd_t value;

	DO(ioctl(server, VDUSE_DEV_INJECT_CONFIG_IRQ));
	if (poll(&pfd, 1, 1000) == 0)
		return "not told";
	eventfd_read(event, &value);
	return "told";
}

int
main(void)
{
	char name[] = "/m0";

	mount("dev", "/dev", "devtmpfs", 0, NULL);
	/* As many as there are, each behind those that it takes. */
	for (; access(name, R_OK) == 0; name[2]++)
		DO(syscall(SYS_finit_module, open(name, O_RDONLY), "", 0));
	make();
	event = eventfd(0, 0);
	start();
	DO(ioctl(device, VHOST_VDPA_SET_CONFIG_CALL, &event));
	printf("SEEN %s, ", told());
	start();
	printf("behind a reset %s, ", told());
	DO(ioctl(device, VHOST_VDPA_SET_CONFIG_CALL, &event));
	printf("given again %s\n", told());
	fflush(stdout);
	reboot(RB_POWER_OFF);
}
END
gcc -static -O2 -pthread -o "$FOLDER/init" "$FOLDER/init.c" 2>"$FOLDER/error" || refuse "no C compiler: $(tail -n 1 "$FOLDER/error")"

# An archive for the kernel: the program as /init, the modules, and vdpa of iproute2 with what it is linked with.
/usr/bin/python3 - "$FOLDER" "$KERNEL" <<'END'
import lzma, os, pathlib, re, shutil, subprocess, sys
folder, kernel = sys.argv[1:]
modules = {}

def take(name):     # those that it takes first
    path = next(pathlib.Path(folder, "kernel/lib/modules", kernel).rglob(name.replace("_", "[_-]") + ".ko.xz"))
    data = lzma.open(path).read()
    for other in re.search(rb"\0depends=([^\0]*)\0", data).group(1).decode().split(","):
        if other and other not in modules:
            take(other)
    modules.setdefault(name, data)

take("vduse")
take("vhost_vdpa")
tool = shutil.which("vdpa")
files = {"init": open(folder + "/init", "rb").read(), "vdpa": open(tool, "rb").read()}
files.update(("m%d" % n, data) for n, data in enumerate(modules.values()))
for path in re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", tool], stdout=subprocess.PIPE, text=True).stdout):
    files["lib64/" + os.path.basename(path)] = open(path, "rb").read()
with open(folder + "/initrd", "wb") as out:
    def put(name, mode, data=b""):
        head = "070701%08x%08x%s" % (0, mode, "%08x" * 11 % (0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
        for part in (head.encode() + name.encode() + b"\0", data):
            out.write(part + bytes(-len(part) % 4))
    for name in ("dev", "lib64"):
        put(name, 0o40755)
    for name, data in files.items():
        put(name, 0o100755, data)
    put("TRAILER!!!", 0)
END
export QEMU_MODULE_DIR=$FOLDER/root/usr/lib/x86_64-linux-gnu/qemu
firmware=()
for data in {"$FOLDER/root",}/usr/share/{seabios,qemu}; do firmware+=(-L "$data"); done
seen=$(timeout 120 qemu-system-x86_64 "${firmware[@]}" -machine q35 -accel tcg -cpu max -m 512 \
	-nodefaults -display none -serial stdio -no-reboot -kernel "$FOLDER/kernel/boot/vmlinuz-$KERNEL" -initrd "$FOLDER/initrd" \
	-append "console=ttyS0 quiet panic=-1" 2>"$FOLDER/error" | tr -d '\r' | grep SEEN)
verdict "told, behind a reset told, given again told" "${seen#SEEN }" "told, behind a reset not told, given again told"
