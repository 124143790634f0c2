#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# In the common configuration of a virtio device on PCI, num_queues says how many virtqueues the device supports at most (virtio 1.2,
# 4.1.4.3). QEMU's virtio-net with 4 queue pairs has 9, and says 3 until the driver has written VIRTIO_NET_F_MQ to
# driver_feature: a driver that sizes its tables or refuses a device before it negotiates knows too few. QEMU 11.1 says the same.
# Asked here without a guest, over the protocol of QEMU's tests, with all processors stopped. Takes root (a tap interface, in a
# namespace of its own).

. "$(dirname "$0")/lib.sh"
need tap
VERSION=1:7.2+dfsg-7+deb12u18+b3
unpack qemu-system-x86 qemu-system-common
head -c 65536 /dev/zero >"$FOLDER/bios"

export QEMU_MODULE_DIR=$FOLDER/root/usr/lib/x86_64-linux-gnu/qemu
seen=$(unshare --net timeout 40 /usr/bin/python3 - "$FOLDER" <<'END'
import socket, subprocess, sys
folder = sys.argv[1]
listener = socket.socket(socket.AF_UNIX)
listener.bind(folder + "/qtest")
listener.listen(1)
listener.settimeout(20)
qemu = subprocess.Popen(["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-S", "-nodefaults", "-display", "none",
    "-bios", folder + "/bios", "-qtest", "unix:%s/qtest" % folder, "-qtest-log", "/dev/null",
    "-netdev", "tap,id=n,ifname=finding0,queues=4,script=no,downscript=no,vhost=off",
    "-device", "virtio-net-pci,netdev=n,mq=on,disable-legacy=on,addr=4,romfile="], stderr=open(folder + "/log", "w"))
try:
    sock = listener.accept()[0]
    sock.settimeout(20)
    lines = sock.makefile("rw")

    def do(what, *numbers):
        print(what, *map(hex, numbers), file=lines, flush=True)
        answer = next(line.split() for line in lines if not line.startswith("IRQ"))
        assert answer[0] == "OK", answer
        return int(answer[1], 0) if answer[1:] else None

    def config(what, offset, *value):   # of PCI, of the device in slot 4
        do("outl", 0xcf8, 1 << 31 | 4 << 11 | offset & ~3)
        return do(what, 0xcfc + (offset & 3), *value)

    common = 0xe0000000
    config("outl", 0x20, common)        # BAR 4
    config("outw", 4, 2)                # memory on
    capability = config("inb", 0x34)
    while (config("inb", capability), config("inb", capability + 3)) != (9, 1):     # VIRTIO_PCI_CAP_COMMON_CFG
        capability = config("inb", capability + 1)
    assert config("inb", capability + 4) == 4
    common += config("inl", capability + 8)
    do("writeb", common + 20, 3)        # ACKNOWLEDGE, DRIVER
    before = do("readw", common + 18)
    do("writel", common + 12, 1 << 22 | 1 << 17)    # MQ, CTRL_VQ
    print(before, "before,", do("readw", common + 18), "after")
finally:
    qemu.kill()
    qemu.wait()
END
)
verdict "9 before, 9 after" "$seen" "3 before, 9 after"
