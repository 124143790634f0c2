# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""passt as the back end. Behind the port is the kernel, by a tap of DPDK's own, which thus is the guest of a user-mode TCP/IP
stack: DHCP, ping, UDP and TCP both ways."""
import random
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

import passt
from passt import GATEWAY, GATEWAY_MAC, GUEST
from testpmd import VDEV, Testpmd, wait_for

pytestmark = pytest.mark.sluice
SERVED, FORWARDED = 5001, 5002
# Bytes, by TCP
TO_GUEST, FROM_GUEST = 4 << 20, 256 << 10
SECONDS = 20


@pytest.fixture(scope="module", autouse=True)
def program():
    reason = passt.lacks()
    if reason:
        pytest.skip(reason)


class Guest(passt.Namespace):
    """A testpmd that forwards between the port and the interface "inner" of a namespace. Debian 13's passt leaves the
    checksum of TCP to nobody, so testpmd computes all."""
    MAC = "02:00:00:00:00:07"

    def __init__(self, path):
        super().__init__()
        try:
            self.testpmd = self.run(Testpmd, ["%s0,path=%s" % (VDEV, path), "net_tap0,iface=inner"], front=True,
                eal=["-d", "librte_net_tap.so"])
            self.testpmd.cmds("port stop 1", "csum set tcp sw 1", "csum set udp sw 1", "port start 1",
                "set eth-peer 0 " + GATEWAY_MAC, "set eth-peer 1 " + self.MAC, "set burst tx delay 1 retry 2000000",
                "set fwd csum retry", "start")
            self.ip("link set inner address %s up" % self.MAC)
        except BaseException:
            self.close()
            raise

    def configure(self, address, gateway):
        self.ip("addr add %s/24 dev inner" % address, "route add default via " + gateway)

    def close(self):
        if hasattr(self, "testpmd"):
            self.testpmd.kill()
        super().close()


@pytest.fixture
def sides(folder):
    back = guest = None
    try:
        back = passt.Passt(folder, FORWARDED)
        guest = Guest(back.path)
        yield back, guest
    finally:
        for side in (guest, back):
            if side is not None:
                side.close()


def new_socket(kind, protocol=0):
    sock = socket.socket(socket.AF_INET, kind, protocol)
    sock.settimeout(SECONDS)
    return sock


def offered_address():
    """(address, router) that DHCP offers, RFC 2131: to all, since the interface has no address yet."""
    with new_socket(socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"inner")
        sock.bind(("", 68))
        discover = struct.pack(">BBBBIHH16x6s10x192xI", 1, 1, 6, 0, 0x51ce, 0, 0x8000,
            bytes.fromhex(Guest.MAC.replace(":", "")), 0x63825363)
        sock.sendto(discover + bytes([53, 1, 1, 255]), ("255.255.255.255", 67))
        offer = sock.recv(2000)
    options, at = {}, 240
    while offer[at] != 255:
        kind, length = offer[at:at + 2]
        options[kind] = offer[at + 2:at + 2 + length]
        at += 2 + length
    assert offer[4:8] == bytes.fromhex("000051ce") and options[53] == b"\x02"
    return socket.inet_ntoa(offer[16:20]), socket.inet_ntoa(options[3])


def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def ping(size):
    """Does the gateway answer with what it was sent?"""
    payload = random.Random(size).randbytes(size)
    request = struct.pack(">BBHHH", 8, 0, 0, 7, size) + payload
    request = request[:2] + struct.pack(">H", checksum(request)) + request[4:]
    with new_socket(socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.sendto(request, (GATEWAY, 0))
        return sock.recv(2000)[20:][4:] == request[4:]


def echo(served, sizes):
    """Datagrams from the guest to a server of the host, and back, one at a time"""
    with new_socket(socket.SOCK_DGRAM) as sock:
        sock.connect((GATEWAY, served.getsockname()[1]))
        for size in sizes:
            payload = random.Random(size).randbytes(size)
            sock.send(payload)
            data, sender = served.recvfrom(2000)
            assert data == payload
            served.sendto(data, sender)
            assert sock.recv(2000) == payload


def arrives(sock, amount):
    """Is all of it as it was sent?"""
    with sock.makefile("rb") as file:
        return file.read(amount) == random.Random(amount).randbytes(amount)


def transfer(client, server, guest_is_client):
    """Both ways at the same time, and neither ends before the other has. Debian 13's passt acknowledges what it takes from its
    guest late at times, so that the guest waits until it sends again: it sends less."""
    to_server, to_client = (FROM_GUEST, TO_GUEST) if guest_is_client else (TO_GUEST, FROM_GUEST)
    with client, server, ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(sock.sendall, random.Random(amount).randbytes(amount))
            for sock, amount in ((client, to_server), (server, to_client))]
        arrived = [pool.submit(arrives, server, to_server), pool.submit(arrives, client, to_client)]
        for job in sent:
            job.result()
        assert all(job.result() for job in arrived)


def connection(server_side, client_side, bound, target):
    """TCP: (client, server)"""
    with server_side.run(new_socket, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(bound)
        listener.listen()
        client = client_side.run(new_socket, socket.SOCK_STREAM)
        client.connect(target)
        server = listener.accept()[0]
        server.settimeout(SECONDS)
        return client, server


def from_guest(back, guest):
    transfer(*connection(back.host, guest, ("127.0.0.1", SERVED), (GATEWAY, SERVED)), True)


def to_guest(back, guest):
    transfer(*connection(guest, back.host, (GUEST, FORWARDED), ("127.0.0.1", FORWARDED)), False)


def test_traffic(sides):
    """The whole way of a guest: it gets an address, and all protocols come through, from inside and from outside; then passt
    is killed, and another takes its place."""
    back, guest = sides
    wait_for(guest.testpmd.link_up, 10, "a link")
    assert guest.run(offered_address) == (GUEST, GATEWAY)
    guest.configure(GUEST, GATEWAY)
    assert all(guest.run(ping, size) for size in (0, 56, 1400))
    with back.host.run(new_socket, socket.SOCK_DGRAM) as served:
        served.bind(("127.0.0.1", SERVED))
        guest.run(echo, served, [0, 1, 17, 18, 512, 1471, 1472])
    from_guest(back, guest)
    to_guest(back, guest)
    back.kill()
    wait_for(lambda: not guest.testpmd.link_up(), 10, "a link that goes down")
    back.start()
    wait_for(guest.testpmd.link_up, 10, "a link")
    from_guest(back, guest)
    assert guest.testpmd.xstats()["rx_errors"] == guest.testpmd.xstats()["tx_errors"] == 0
    guest.testpmd.cmds("stop", "port stop all", "port close all")
    free, size = guest.testpmd.pool()
    assert free == size
    guest.testpmd.quit()
