# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Transmit offloads and LRO of the PCI port, with Linux as the peer: QEMU hands what the port says of each packet to a
tap, and the host's kernel bridges it to another that can do nothing. There must be what is right on the wire."""
import os
import select
import struct

import pytest

import vmimage
from frames import compare, expected, l4_layers, packet
from guest import Peer
from machine import Machine
from tap import WireTap, usable
from test_vm_rx_csum import HEADER, NEEDS_CSUM, pseudo_sum
from vmqemu import Nic

VLAN_INSERT, IPV4, UDP, TCP, TSO, MULTI_SEGS = 0x1, 0x2, 0x4, 0x8, 0x20, 0x8000
GSO_TCPV4, GSO_TCPV6 = 1, 4
MSS = 300
WINDOW = 8
CASES = {"packed": "packed=on", "split": "", "split-nomrg": "mrg_rxbuf=off"}
SHIM = vmimage.compiled("lro_switch.so", os.path.join(os.path.dirname(__file__), "shim", "lro_switch.c"), [], "-O1", "-fPIC", "-shared")
MACHINE = Machine("tx-offload", {name: Nic(props, WireTap()) for name, props in [*CASES.items(), ("no-ctrl", "ctrl_vq=off")]}, add=[SHIM])

pytestmark = pytest.mark.skipif(not usable(), reason="tap devices take root and /dev/net/tun")


def spoiled(good):
    """The same packet with all its checksums wrong"""
    from scapy.all import IP, TCP as Tcp, UDP as Udp, Ether
    wrong = Ether(good)
    for layer in (IP, Tcp, Udp):
        if layer in wrong:
            wrong[layer].chksum ^= 0x1234
    return bytes(wrong)


def segments(frame, mss=MSS):
    """What a TCP packet is on the wire, in segments of mss"""
    from scapy.all import IP, TCP as Tcp, Ether, IPv6
    whole = Ether(frame)
    payload = bytes(whole[Tcp].payload)
    for number, at in enumerate(range(0, len(payload), mss)):
        piece = Ether(frame)
        piece[Tcp].remove_payload()
        piece[Tcp].add_payload(payload[at:at + mss])
        piece[Tcp].seq += at
        if at + mss < len(payload):
            piece[Tcp].flags = str(piece[Tcp].flags).replace("P", "").replace("F", "")
        if number:
            piece[Tcp].flags = str(piece[Tcp].flags).replace("C", "")
        del piece[Tcp].chksum
        if IP in piece:
            piece[IP].id += number
            del piece[IP].len, piece[IP].chksum
        else:
            del piece[IPv6].plen
        yield bytes(piece)


def on_the_wire(testpmd, nic, mode, frames, count, head=HEADER.pack(0, 0, 0, 0, 0, 0), back=None):
    """(headers that the kernel got, frames on the wire) of frames that the guest's testpmd sends back; count: how many
    there are to be on the wire; head: the header of each, empty if the frames have theirs; back: how many come back, if
    the guest does not get as many as were sent"""
    peer = Peer(nic)
    peer.drain()
    peer.socket.settimeout(20)
    headers, got, sent = [], [], 0
    # Large packets take many descriptors, more than a ring has for all of them.
    testpmd.cmds("set burst tx delay 1 retry 2000000", "set fwd %s retry" % mode, "start")
    try:
        while len(headers) < (back or len(frames)):
            while sent < len(frames) and sent - len(headers) < WINDOW:
                peer.socket.send(head + frames[sent])
                sent += 1
            headers.append(HEADER.unpack_from(peer.socket.recv(70000)))
            # The bridge has done its part before, or does it now.
            while select.select([nic.wire], [], [], 0)[0]:
                got.append(nic.wire.read(70000))
    finally:
        testpmd.stop()
    while len(got) < count and select.select([nic.wire], [], [], 5)[0]:
        got.append(nic.wire.read(70000))
    return headers, got


def went_well(testpmd):
    counts = testpmd.xstats()
    assert not {key: value for key, value in counts.items() if key.endswith("_errors") and value}


@pytest.mark.parametrize("nic", CASES)
def test_checksums(boot, nic):
    """The kernel gets all of them open, and completes them."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--tx-offloads=0x%x" % (IPV4 | UDP | TCP)])
    assert "VIRTIO_NET_F_CSUM" in guest.features(nic)
    assert "_offloads" in testpmd.burst_mode("txq")
    right = [bytes(packet(n, l4_layers())) for n in range(120)]
    headers, got = on_the_wire(testpmd, guest.nics[nic], "csum", [spoiled(frame) for frame in right], len(right))
    assert {header[:2] + header[4:] for header in headers} == {(NEEDS_CSUM, 0, 34, 6), (NEEDS_CSUM, 0, 34, 16),
        (NEEDS_CSUM, 0, 54, 6), (NEEDS_CSUM, 0, 54, 16)}
    compare(got, [expected(frame, "csum", testpmd.mac()) for frame in right])
    went_well(testpmd)
    guest.close(testpmd, nic)


def tcp_packet(n, flags, payload):
    """The nth of a row: over IPv4 and IPv6 in turn"""
    from scapy.all import IP, TCP as Tcp, Ether
    ip = IP(src="192.0.2.1", dst="192.0.2.2", id=100 * n) if n % 2 else l4_layers()[3].copy()
    ip.remove_payload()
    return bytes(Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb") / ip
        / Tcp(sport=1, dport=2, seq=1000 * n, flags=flags) / payload)


def come_in_segments(guest, testpmd, nic, right, cut):
    """Packets with TCP over IPv6 and IPv4 in turn, which the kernel gets whole: each is on the wire as cut() makes pieces of it."""
    want = [piece for frame in right for piece in cut(expected(frame, "csum", testpmd.mac()))]
    headers, got = on_the_wire(testpmd, guest.nics[nic], "csum", [spoiled(frame) for frame in right], len(want))
    assert [(header[1] & 0x7f, header[3]) for header in headers] == [
        (GSO_TCPV4 if n % 2 else GSO_TCPV6, MSS) for n in range(len(right))]
    compare(got, want)
    assert len(want) > 2 * len(right)
    went_well(testpmd)
    guest.close(testpmd, nic)


@pytest.mark.parametrize("nic", CASES)
def test_segmentation(boot, nic):
    """The kernel gets packets whole, and makes segments of them."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--tx-offloads=0x%x" % (IPV4 | UDP | TCP | TSO)])
    assert {"VIRTIO_NET_F_CSUM", "VIRTIO_NET_F_HOST_TSO4", "VIRTIO_NET_F_HOST_TSO6",
        "VIRTIO_NET_F_HOST_ECN"} <= guest.features(nic)
    testpmd.cmds("port stop 0", "tso set %d 0" % MSS, "port start 0")
    right = [tcp_packet(n, ("A", "PA", "FPA", "CPA")[n // 2 % 4], bytes(n + i & 0xff for i in range(320 + 18 * n)))
        for n in range(60)]
    come_in_segments(guest, testpmd, nic, right, segments)


LARGE = 1400


def whole(frame):
    """A TCP packet as a sender leaves it to whoever segments it, with its header"""
    from scapy.all import IP, Ether
    is_ipv4 = IP in Ether(frame)
    start, addresses = (34, slice(26, 34)) if is_ipv4 else (54, slice(22, 54))
    left = bytearray(frame)
    struct.pack_into(">H", left, start + 16, pseudo_sum(frame[addresses], 6, len(frame) - start))
    head = HEADER.pack(NEEDS_CSUM, GSO_TCPV4 if is_ipv4 else GSO_TCPV6, start + 20, LARGE, start, 16)
    return head + bytes(left)


def switched(guest, testpmd, nic, frames):
    """LRO is switched off and on: by configuring the port, whose next start negotiates, or while it runs. Without LRO the
    kernel segments in front of the guest, and not behind it."""
    want = [piece for frame in frames for piece in segments(expected(frame, "csum", testpmd.mac()), LARGE)]
    runs = nic == "packed"
    for is_on in (False, True):
        if runs:
            assert "fail" not in testpmd.cmd("set link-%s port 0" % ("up" if is_on else "down"))
        else:
            testpmd.cmds("port stop 0", "port config 0 rx_offload tcp_lro %s" % ("on" if is_on else "off"), "port start 0")
        assert ("VIRTIO_NET_F_GUEST_TSO4" in guest.features(nic)) == (is_on or runs)
        before, back = testpmd.xstats()["rx_q0_lro_packets"], len(frames) if is_on else len(want)
        headers, got = on_the_wire(testpmd, guest.nics[nic], "csum", [whole(frame) for frame in frames], len(want), b"", back)
        assert len(headers) == back
        compare(got, want)
        assert testpmd.xstats()["rx_q0_lro_packets"] - before == is_on * len(frames)
        went_well(testpmd)


@pytest.mark.parametrize("nic", [nic for nic in CASES if "nomrg" not in nic])
def test_lro(boot, nic):
    """Packets of up to 64 KiB go through the guest whole: the kernel segments them behind it and not before, although
    it could. Every byte of 2 MB is looked at."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--enable-lro", "--tx-offloads=0x%x" % (IPV4 | UDP | TCP | TSO)],
        wrap="exec env LD_PRELOAD=/usr/bin/lro_switch.so %s")
    assert {"VIRTIO_NET_F_GUEST_CSUM", "VIRTIO_NET_F_GUEST_TSO4", "VIRTIO_NET_F_GUEST_TSO6",
        "VIRTIO_NET_F_GUEST_ECN"} <= guest.features(nic)
    testpmd.cmds("port stop 0", "tso set %d 0" % LARGE, "port start 0")
    frames = [tcp_packet(n, "PA", bytes(n + i * i >> 3 & 0xff for i in range(1500 + 1000 * n))) for n in range(64)]
    want = [piece for frame in frames for piece in segments(expected(frame, "csum", testpmd.mac()), LARGE)]
    headers, got = on_the_wire(testpmd, guest.nics[nic], "csum", [whole(frame) for frame in frames], len(want), b"")
    assert len(headers) == len(frames)
    compare(got, want)
    assert testpmd.xstats()["rx_q0_lro_packets"] == len(frames)
    went_well(testpmd)
    switched(guest, testpmd, nic, frames[:4])
    guest.close(testpmd, nic)


def test_lro_without_a_control_queue(boot):
    """Nobody could tell the device, so the call is refused, and LRO stays as it is."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["no-ctrl"], ["--enable-lro"], wrap="exec env LD_PRELOAD=/usr/bin/lro_switch.so %s")
    assert "VIRTIO_NET_F_GUEST_TSO4" in guest.features("no-ctrl")
    assert "stop and configure this one" in testpmd.cmd("set link-down port 0")
    guest.close(testpmd, "no-ctrl")


@pytest.mark.parametrize("nic", CASES)
def test_tags(boot, nic):
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--tx-offloads=0x%x" % VLAN_INSERT])
    testpmd.cmds("port stop 0", "tx_vlan set 0 291", "port start 0")
    frames = [bytes(packet(n, l4_layers())) for n in range(60)]
    _, got = on_the_wire(testpmd, guest.nics[nic], "mac", frames, len(frames))
    untagged = [expected(frame, "mac", testpmd.mac()) for frame in frames]
    compare(got, [frame[:12] + bytes.fromhex("81000123") + frame[12:] for frame in untagged])
    went_well(testpmd)
    guest.close(testpmd, nic)
