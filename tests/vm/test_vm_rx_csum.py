# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Rx checksum offload of the PCI port. QEMU offers it where its netdev carries headers: a tap. The peer is a packet
socket on the host's end of it, whose frames have a header too (PACKET_VNET_HDR); where the guest does not ask
for the offload, the host's kernel completes what the header leaves out.
"""
import re
import struct

import pytest

from frames import compare, packet
from guest import Peer
from machine import Machine
from tap import Tap, usable
from testpmd import wait_for
from vmqemu import Nic

NEEDS_CSUM = 1
HEADER = struct.Struct("<BBHHHH")
CASES = {"packed": "packed=on", "split": "", "packed-nomrg": "packed=on,mrg_rxbuf=off"}
MACHINE = Machine("rx-csum", {name: Nic(props, Tap(headers=True)) for name, props in CASES.items()})

pytestmark = pytest.mark.skipif(not usable(), reason="tap devices take root and /dev/net/tun")


def with_header(frame, start, offset):
    """start: of the checksum that the frame leaves out; 0: none"""
    return HEADER.pack(NEEDS_CSUM if start else 0, 0, 0, 0, start, offset) + frame


def pseudo_sum(addresses, proto, length):
    """The sum of a pseudo header, which stands in the field of a checksum that was left out."""
    total = proto + length + sum(struct.unpack(">%dH" % (len(addresses) // 2), addresses))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total


def packets(count):
    """[(as it is sent, header included, as it should be)]; in turn UDP, TCP over IPv6, nothing left out"""
    from scapy.all import IP, TCP, UDP, IPv6
    layers = [IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=1000, dport=2000),
        IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(sport=3, dport=4),
        IP(src="192.0.2.3", dst="192.0.2.4") / UDP(sport=1000, dport=2000)]
    # Where the checksum starts, its offset, where the addresses are, the protocol.
    places = [(34, 6, slice(26, 34), 17), (54, 16, slice(22, 54), 6), (0, 0, None, 0)]
    made = []
    for number in range(count):
        good = bytes(packet(number, layers))
        start, offset, addresses, proto = places[number % 3]
        sent = bytearray(good)
        if start:
            struct.pack_into(">H", sent, start + offset, pseudo_sum(good[addresses], proto, len(good) - start))
        made.append((with_header(bytes(sent), start, offset), good))
    return made


def play(testpmd, peer, mode, made):
    """What comes back of packets that go in one by one, without headers."""
    peer.drain()
    testpmd.cmds("set fwd " + mode, "start")
    try:
        got = peer.echo([sent for sent, _ in made], window=1)
    finally:
        testpmd.stop()
    return [frame[HEADER.size:] for frame in got]


@pytest.mark.parametrize("nic", CASES)
def test_partial_checksums(boot, nic):
    """Told to the application, which completes them (testpmd's csum mode)."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--rx-offloads=0xc"])
    assert "VIRTIO_NET_F_GUEST_CSUM" in guest.features(nic)
    peer, made = Peer(guest.nics[nic]), packets(60)
    testpmd.cmds("set verbose 1", "set fwd rxonly", "start")
    for sent, _ in made:
        peer.socket.send(sent)
    flags = []

    def seen():
        flags[:] = re.findall(r"ol_flags: .*?RTE_MBUF_F_RX_L4_CKSUM_(\w+)", testpmd.log())
        return len(flags) >= len(made)
    wait_for(seen, 30, "%d frames with flags" % len(made))
    testpmd.stop()
    testpmd.cmd("set verbose 0")
    assert flags == ["UNKNOWN" if n % 3 == 2 else "NONE" for n in range(len(made))]
    got = play(testpmd, peer, "csum", made)
    compare([frame[12:] for frame in got], [good[12:] for _, good in made])
    guest.close(testpmd, nic)


@pytest.mark.parametrize("nic", CASES)
def test_not_asked_for(boot, nic):
    """The host's kernel completes what it sends to a port without the offload; nothing is marked."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    assert "VIRTIO_NET_F_GUEST_CSUM" not in guest.features(nic)
    made = packets(30)
    compare(play(testpmd, Peer(guest.nics[nic]), "io", made), [good for _, good in made])
    guest.close(testpmd, nic)
