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
TUNSETOFFLOAD, TUN_F_CSUM, TUN_F_TSO4, TUN_F_UDP_TUNNEL_GSO = 0x400454d0, 0x1, 0x2, 0x80
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR = 0x2, 0x1000, 0x100, 0x4000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
SIOCBRADDBR, SIOCBRADDIF = 0x89a0, 0x89a2
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


class WireTap(Tap):
    """With headers; and what the device sends the host's kernel bridges to a second tap, nic.wire, which can do nothing
    by itself: what is read there is on the wire, with all its checksums, in segments."""

    def __init__(self):
        super().__init__(headers=True)

    def __call__(self, nic, inherit):
        self.nic = nic
        return super().__call__(nic, inherit)

    def make(self, made):
        here = []
        super().make(here)
        # The bridge would tell the others of the group that bridges are in.
        with open("/proc/sys/net/ipv4/igmp_link_local_mcast_reports", "w", encoding="ascii") as file:
            file.write("0")
        wire = open("/dev/net/tun", "r+b", buffering=0)
        fcntl.ioctl(wire, TUNSETIFF, struct.pack("16sH22x", b"wire0", IFF_TAP | IFF_NO_PI))
        with socket.socket() as control:
            buffer = ctypes.create_string_buffer(b"bridge0", 16)
            if libc.ioctl(control.fileno(), SIOCBRADDBR, buffer):
                raise OSError(ctypes.get_errno(), "SIOCBRADDBR")
            for name in (NAME, b"wire0"):
                fcntl.ioctl(control, SIOCBRADDIF, struct.pack("16si20x", b"bridge0",
                    socket.if_nametoindex(name.decode())))
            for name in (b"wire0", b"bridge0"):
                now, = struct.unpack_from("H", fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16s24x", name)), 16)
                fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name, now | IFF_UP))
        os.set_blocking(wire.fileno(), False)
        self.nic.wire = wire
        made += here


def usable():
    return os.geteuid() == 0 and os.path.exists("/dev/net/tun")


def segments_tunnels():
    """Whether taps of this kernel take packets to be segmented inside of UDP tunnels"""
    answer = []

    def ask():
        if libc.unshare(CLONE_NEWNET):
            return
        try:
            with open("/dev/net/tun", "r+b", buffering=0) as file:
                fcntl.ioctl(file, TUNSETIFF, ifreq(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
                fcntl.ioctl(file, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_UDP_TUNNEL_GSO)
            answer.append(True)
        except OSError:
            pass
    if usable():
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    return bool(answer)
