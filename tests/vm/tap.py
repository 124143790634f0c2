# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A tap device of several queues as the peer of a device. It lives in a network namespace that only the
thread had which made it, so that nobody else sees it, and it ends with the last of its file descriptors."""
import ctypes
import fcntl
import os
import socket
import struct
import threading

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR = 0x2, 0x1000, 0x100, 0x4000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
NAME = b"tap0"
libc = ctypes.CDLL(None, use_errno=True)


def ifreq(flags):
    return struct.pack("16sH22x", NAME, flags)


class Tap:
    """For Nic: called by Vm, gives the value of -netdev; nic.socket is then a packet socket on it. With
    headers each frame has a struct virtio_net_hdr in front, in both directions."""

    def __init__(self, queues=1, headers=False):
        self.queues, self.headers = queues, headers

    def __call__(self, nic, inherit):
        made = []
        thread = threading.Thread(target=self.make, args=(made,))
        thread.start()
        thread.join()
        if not made:
            raise OSError("no tap device could be made")
        nic.socket, files = made
        return "tap,vhost=off,%s=%s" % ("fds" if self.queues > 1 else "fd",
            ":".join(str(inherit(file)) for file in files))

    def make(self, made):
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        # The interface shall be silent.
        with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")
        files = []
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (IFF_MULTI_QUEUE if self.queues > 1 else 0)
        for _ in range(self.queues):
            files.append(open("/dev/net/tun", "r+b", buffering=0))
            fcntl.ioctl(files[-1], TUNSETIFF, ifreq(flags))
        peer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        now, = struct.unpack_from("H", fcntl.ioctl(peer, SIOCGIFFLAGS, ifreq(0)), 16)
        fcntl.ioctl(peer, SIOCSIFFLAGS, ifreq(now | IFF_UP))
        peer.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        peer.setsockopt(SOL_PACKET, PACKET_VNET_HDR, int(self.headers))
        peer.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        peer.bind((NAME.decode(), ETH_P_ALL))
        made += [peer, files]


def usable():
    return os.geteuid() == 0 and os.path.exists("/dev/net/tun")
