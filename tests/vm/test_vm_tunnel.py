# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Segmentation inside of UDP tunnels, with QEMU 11 and Linux 6.17 or later as the peer: the port hands VXLAN packets with a
large TCP packet inside to a tap, and the host's kernel makes segments of them for another tap that can do nothing."""
import re

import pytest

from machine import Machine
from tap import WireTap, segments_tunnels
from test_vm_tx_offload import CASES, IPV4, MSS, TCP, TSO, UDP, come_in_segments, segments, tcp_packet
from vmqemu import Nic

OUTER_IPV4, VXLAN_TSO, OUTER_UDP = 0x80, 0x200, 0x100000
# Features from GUEST_UDP_TUNNEL_GSO, 65, to HOST_UDP_TUNNEL_GSO_CSUM, 68
GUEST_TUNNEL, HOST_TUNNEL, HOST_TUNNEL_AND_SUM = 65, 0x4, 0xc
MACHINE = Machine("tunnel", {name: Nic(props, WireTap()) for name, props in CASES.items()}, qemu="testing")

pytestmark = [pytest.mark.sluice,
    pytest.mark.skipif(not segments_tunnels(), reason="takes root and a tap of Linux 6.17 or later")]


def vxlan(n):
    """The nth of a row: every second pair over IPv4"""
    from scapy.all import IP, UDP as Udp, VXLAN, Ether, IPv6
    ip = IP(src="198.51.100.1", dst="198.51.100.2", id=50 * n) if n // 2 % 2 else IPv6(src="2001:db8::1", dst="2001:db8::2")
    inner = tcp_packet(n, ("A", "PA", "FPA")[n % 3], bytes(n + i & 0xff for i in range(320 + 24 * n)))
    return bytes(Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb") / ip / Udp(sport=1000 + n, dport=4789)
        / VXLAN(vni=n) / inner)


def tunnelled_segments(frame, has_sum):
    """What is on the wire of a packet in a tunnel"""
    from scapy.all import IP, UDP as Udp, VXLAN, Ether, IPv6
    inner = bytes(Ether(frame)[VXLAN].payload)
    for number, segment in enumerate(segments(inner)):
        piece = Ether(frame[:-len(inner)] + segment)
        if piece.type == 0x0800:
            piece[IP].id += number
            del piece[IP].len, piece[IP].chksum
        else:
            del piece[IPv6].plen
        del piece[Udp].len
        if has_sum:
            del piece[Udp].chksum
        else:
            piece[Udp].chksum = 0
        yield bytes(piece)


def features(testpmd):
    """What the port says it negotiated, a bit each"""
    return int(re.findall(r"live, features 0x([0-9a-f]+)", testpmd.log())[-1], 16)


@pytest.mark.parametrize("nic,has_sum", [("packed", False), ("packed", True), ("split", True), ("split-nomrg", False)])
def test_tso_in_vxlan(boot, nic, has_sum):
    """The kernel gets packets whole, and makes segments of them in which the headers of both are right."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--tx-offloads=0x%x" % (IPV4 | UDP | TCP | TSO | OUTER_IPV4 | VXLAN_TSO
        | OUTER_UDP * has_sum)], ["--log-level=pmd.net.sluice:info"])
    assert features(testpmd) >> GUEST_TUNNEL & 0xf == (HOST_TUNNEL_AND_SUM if has_sum else HOST_TUNNEL)
    testpmd.cmds("port stop 0", "tunnel_tso set %d 0" % MSS, "csum parse-tunnel on 0", "port start 0")
    right = [vxlan(n) for n in range(40)]
    come_in_segments(guest, testpmd, nic, right, lambda frame: tunnelled_segments(frame, has_sum))
