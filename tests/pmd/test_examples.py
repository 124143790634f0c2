# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""DPDK's own examples as they are, with two ports of the driver: what comes to the first one goes out of the second one,
compared byte for byte."""
import glob
import os
import struct
import subprocess

import pytest

import frames
from l3fwd import Other, checksum
from testpmd import BUILD, REPO, VDEV, wait_for

COUNT = 128         # less than any ring on the way holds: an example drops what it cannot send
MAC = bytes.fromhex("020000000055")
ROUTE = bytes.fromhex("020000000001")   # where the examples send what leaves port 1


def ipv4(destination, data, number=0, offset=0, more=False):
    head = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(data), number, more << 13 | offset // 8, 64, 17, 0,
        bytes((10, 0, 0, 1)), bytes(destination)))
    head[10:12] = struct.pack(">H", checksum(head))
    return bytes.fromhex("0200000000550200000000aa0800") + bytes(head) + data


def udp(number, size):
    return struct.pack(">HHHH", 1000, 2000, 8 + size, 0) + struct.pack(">I", number) * (size // 4)


def as_they_are():
    sent = frames.make(COUNT, frames.SMALL)
    return sent, sent


def switched():
    """l2fwd puts in the addresses of the next hop and of its port."""
    sent = frames.make(COUNT, frames.SMALL)
    return sent, [ROUTE + MAC + frame[12:] for frame in sent]


def routed():
    """l3fwd takes a hop, too, and adds it to the checksum as to a number of the machine."""
    sent = [ipv4((198, 18, 1, n), udp(n, 20 + 8 * n)) for n in range(COUNT)]
    out = []
    for frame in sent:
        head = bytearray(frame[14:34])
        head[8] -= 1
        head[10:12] = struct.pack("<H", (struct.unpack("<H", head[10:12])[0] + 1) & 0xffff)
        out.append(ROUTE + MAC + frame[12:14] + bytes(head) + frame[34:])
    return sent, out


def reassembled():
    """Two fragments each, the second one first in every other packet."""
    sent, out = [], []
    for n in range(COUNT // 2):
        data = udp(n, 600 + 8 * n)
        parts = [ipv4((100, 20, 0, 1), data[:496], n, 0, True), ipv4((100, 20, 0, 1), data[496:], n, 496)]
        sent += reversed(parts) if n % 2 else parts
        out.append(ROUTE + MAC + ipv4((100, 20, 0, 1), data, n)[12:])
    return sent, out


def fragmented():
    """Pieces of at most 1500 bytes, each a header with its own checksum, which the port writes, in front of some of the
    packet's buffers. One that fits is as it was."""
    sent, out = [], []
    for n in range(40):
        data = udp(n, 8900 - 100 * n if n % 10 == 9 else 96 + 100 * n)
        sent.append(ipv4((100, 20, 0, 1), data, n))
        out += [ROUTE + MAC + ipv4((100, 20, 0, 1), data[at:at + 1480], n, at, at + 1480 < len(data))[12:]
            for at in range(0, len(data), 1480)]
    return sent, out


def metered():
    """The colour of a packet is the last byte of its first address, its flow the last one of its IP address. The first of
    each flow is green; one that came in another colour is dropped then."""
    sent = [frame[:5] + bytes([n % 3]) + frame[6:] for n, frame in
        enumerate(ipv4((198, 18, 1, n), udp(n, 20 + 8 * n)) for n in range(COUNT))]
    return sent, sent[::3]


EXAMPLES = {
    "skeleton": ([], as_they_are),
    "l2fwd": (["-p", "0x3", "-q", "2", "-T", "0"], switched),
    "l3fwd": (["-p", "0x3", "-P", "--config=(0,0,0),(1,0,0)"], routed),
    "ip_fragmentation": (["-p", "0x3", "-q", "2"], fragmented),
    "qos_meter": (["-p", "0x3"], metered),
    "ip_reassembly": (["-p", "0x3", "-q", "2", "--maxflows=256"], reassembled),
}


def program(name):
    path = os.path.join(BUILD, "app", "examples", name)
    if not os.path.exists(path):
        pytest.skip("no %s: run devtools/setup, then meson setup --reconfigure" % name)
    return path


# To ip_reassembly: the offload that its MTU takes, and the call for the types of packets by which it goes.
CHANGES = [("= RTE_ETH_RX_OFFLOAD_CHECKSUM,", "= RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_SCATTER,"),
    ("ret = rte_eth_dev_start(portid);", "rte_eth_dev_set_ptypes(portid, RTE_PTYPE_L3_MASK, NULL, 0); ret = rte_eth_dev_start(portid);")]


def changed(folder):
    """ip_reassembly with these"""
    program("ip_reassembly")
    source, path = os.path.join(folder, "main.c"), os.path.join(folder, "ip_reassembly")
    found = glob.glob(os.path.join(REPO, ".sdk", "dpdk-*", "examples", "ip_reassembly", "main.c"))
    if not found:
        pytest.skip("its source is not where devtools/setup puts it")
    with open(found[0], encoding="utf-8") as file:
        text = file.read()
    for old, new in CHANGES:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libdpdk"], capture_output=True, text=True, check=True).stdout
    subprocess.run(["gcc", "-O1", "-w", "-DALLOW_EXPERIMENTAL_API", "-o", path, source] + flags.split(), check=True)
    return path


@pytest.mark.parametrize("name", EXAMPLES)
def test_forwards(folder, testpmds, name):
    args, play = EXAMPLES[name]
    sent, expected = play()
    files = [os.path.join(folder, file) for file in ("in.pcap", "out.pcap", "empty.pcap", "back.pcap")]
    frames.write_pcap(files[0], sent)
    frames.write_pcap(files[2], [])
    sockets = [os.path.join(folder, file) for file in ("a.sock", "b.sock")]
    back = testpmds(["net_vhost0,iface=" + sockets[0], "net_pcap0,rx_pcap=%s,tx_pcap=%s" % (files[0], files[3]),
        "net_vhost1,iface=" + sockets[1], "net_pcap1,rx_pcap=%s,tx_pcap=%s" % (files[2], files[1])])
    app = Other(changed(folder) if name == "ip_reassembly" else program(name), "%s0,path=%s" % (VDEV, sockets[0]), 1,
        ["--vdev", "%s1,path=%s,mac=%s" % (VDEV, sockets[1], MAC.hex(":")), "--"] + args)
    try:
        app.wait_log("forwarding packets|entering main loop|Core 0: port RX", 20)
        for port in (0, 2):
            wait_for(lambda p=port: back.link_up(p), 20, "a link")
        back.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry", "start")
        wait_for(lambda: back.stats(3)["TX-packets"] >= len(expected), 10, "packets")
        back.quit()
        assert frames.read_pcap(files[1]) == expected
        assert frames.read_pcap(files[3]) == []
    finally:
        app.kill()


def test_an_mtu_that_does_not_fit_is_refused(folder, testpmds):
    """ip_reassembly as it is asks for one of 9710, with buffers of 2 KiB and one buffer for each frame."""
    path = os.path.join(folder, "r.sock")
    testpmds(["net_vhost0,iface=" + path])
    app = Other(program("ip_reassembly"), "%s0,path=%s" % (VDEV, path), 1, ["--", "-p", "0x1", "--maxflows=256"])
    try:
        assert app.wait_end(20) != 0
        assert "or RTE_ETH_RX_OFFLOAD_SCATTER" in app.log(), app.log()
    finally:
        app.kill()
