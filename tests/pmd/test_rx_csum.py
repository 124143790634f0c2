# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Rx checksum offload: what a back end that leaves checksums to the receiver is understood to say, and
that the port asks for it only when the application does."""
import os
import re

import pytest

from frames import SMALL, compare, l4_layers, packet, read_pcap, write_pcap
from pair import Config
from refusal import one_line_says, run_front
from testpmd import wait_for

CSUM = ["--rx-offloads=0xc"]    # UDP and TCP; --enable-rx-cksum asks for IPv4 too, which is checked in software
CONFIGS = [Config("%s-%s" % ("packed" if packed else "split", "mrg" if mrg else "nomrg"), front_args=CSUM,
    packed_vq=packed, mrg_rxbuf=mrg) for packed in (0, 1) for mrg in (1, 0)]
over_all = pytest.mark.parametrize("shared_pair", CONFIGS, indirect=True, ids=lambda c: c.name)


def leave_to_receiver(back):
    """What the back end forwards to the front end has a partial checksum from now on."""
    back.cmds("port stop 0", "csum set udp hw 0", "csum set tcp hw 0", "port start 0")


def packets(count):
    """UDP and TCP over IPv4 and IPv6, with right checksums; every fifth is something else."""
    from scapy.all import ARP
    layers = l4_layers() + [ARP(psrc="192.0.2.1", pdst="192.0.2.2")]
    return [bytes(packet(number, layers)) for number in range(count)]


def received_flags(pair, sent, layer="L4", mode="csum"):
    """The flags of a layer of the frames that the front end receives, in order; the back end's mode."""
    front, back = pair.front, pair.back
    pair.rewind([sent])
    mark = len(front.log())
    front.cmds("set verbose 1", "set fwd rxonly", "start")
    back.cmds("set fwd " + mode, "start")
    found = []

    def seen():
        found[:] = re.findall(r"ol_flags: .*?RTE_MBUF_F_RX_%s_CKSUM_(\w+)" % layer, front.log()[mark:])
        return len(found) >= len(sent)
    try:
        wait_for(seen, 10, "%d frames with flags" % len(sent))
    finally:
        back.stop()
        front.stop()
        front.cmd("set verbose 0")
    return found


@over_all
@pytest.mark.parametrize("mode", ["io", "mac", "macswap"])
def test_bytes_through(shared_pair, mode):
    """A back end that says nothing of checksums."""
    shared_pair.exchange(mode, 900, SMALL)


@over_all
def test_partial_checksums_are_told(shared_pair):
    leave_to_receiver(shared_pair.back)
    got = received_flags(shared_pair, packets(100))
    assert got == ["UNKNOWN" if n % 5 == 4 else "NONE" for n in range(100)]


@over_all
def test_partial_checksums_are_completed_by_the_application(shared_pair):
    """testpmd's csum mode, at both ends: the second one sums what the first one left out."""
    leave_to_receiver(shared_pair.back)
    front, back = shared_pair.front, shared_pair.back
    sent = packets(100)
    before = shared_pair.rewind([sent])
    front.cmds("set fwd csum", "start")
    back.cmds("set fwd csum", "start")
    try:
        wait_for(lambda: back.stats(1)["TX-packets"] - before >= 100, 10, "frames back")
    finally:
        back.stop()
        front.stop()
    got = read_pcap(shared_pair.pcap("out", 0))
    compare([frame[12:] for frame in got], [frame[12:] for frame in sent])
    assert not [key for key, value in front.xstats().items() if key.endswith("header_errors") and value]


@pytest.mark.parametrize("size", [2176, 348])
@pytest.mark.parametrize("layout", ["packed", "split"])
def test_partial_checksums_are_completed_by_the_driver(testpmds, folder, layout, size):
    """in.pcap -> net_vhost -> the driver -> out.pcap, for an application that looks at no flag: what scapy had summed
    comes out. In buffers of 348 bytes some packets have several."""
    names = {name: os.path.join(folder, name) for name in ("socket", "in", "none", "out")}
    for name in ("in", "none"):
        write_pcap(names[name], [])
    back = testpmds(["net_vhost0,iface=%s" % names["socket"], "net_pcap0,rx_pcap=%s,tx_pcap=/dev/null" % names["in"]])
    config = Config("completed", packed_vq=int(layout == "packed"), complete_csum=1)
    front = testpmds([config.vdev(names["socket"]), "net_pcap0,rx_pcap=%s,tx_pcap=%s" % (names["none"], names["out"])],
        front=True, args=["--mbuf-size=%d" % size, "--total-num-mbufs=4096", "--disable-device-start"])
    front.cmds(*("port config 0 rx_offload %s on" % what for what in ("udp_cksum", "tcp_cksum", "scatter")))
    front.cmds("port start all", "set burst tx delay 1 retry 2000000", "set fwd io retry", "start")
    wait_for(lambda: front.link_up(0), 10, "link")
    sent = packets(300)
    write_pcap(names["in"], sent)
    leave_to_receiver(back)
    back.cmds("set burst tx delay 1 retry 2000000", "port stop 1", "port start 1", "set fwd csum retry", "start")
    try:
        wait_for(lambda: front.stats(1)["TX-packets"] >= len(sent), 10, "frames at the end")
    finally:
        back.stop()
        front.stop()
    # The back end has other addresses behind its csum mode.
    compare([frame[12:] for frame in read_pcap(names["out"])], [frame[12:] for frame in sent])
    counts = front.xstats()
    assert bool(counts["rx_q0_multi_buffer_packets"]) == (size < 2176), counts


@pytest.mark.parametrize("layout", ["packed", "split"])
def test_completed_checksums_are_told(new_pair, layout):
    pair = new_pair(Config("told", front_args=CSUM, packed_vq=int(layout == "packed"), complete_csum=1))
    leave_to_receiver(pair.back)
    assert received_flags(pair, packets(100)) == ["UNKNOWN" if n % 5 == 4 else "GOOD" for n in range(100)]
    pair.close()


@pytest.mark.parametrize("room,fits", [(1514, False), (1526, True)])
def test_room_for_the_header(new_pair, room, fits):
    """1514 bytes and the header in one buffer, exactly or not; without the offload either will do."""
    pair = new_pair(Config("room", mrg_rxbuf=0), backend_first=False)
    pair.start_back()
    pool = ["--mbuf-size=%d" % (128 + room), "--auto-start"]
    vdev = pair.config.vdev(pair.path).split(",", 1)[1]
    for args, good in ((pool, True), (pool + CSUM, fits)):
        log, status = run_front(vdev, args)
        assert (status == 0) == good, log
        if not good:
            one_line_says(log, "frames of 1514 bytes", "buffers of 1502 bytes", "mrg_rxbuf=1")


def test_offload_is_negotiated_only_when_asked_for(new_pair):
    """Off, on, off again, with traffic each time: the features and the burst function follow."""
    pair = new_pair(Config("switched", front_eal=["--log-level=pmd.net.sluice:info"]))
    pair.exchange("io", 300, SMALL)
    for way in ("on", "off", "on"):
        pair.front.cmds("port stop 0", "port config 0 rx_offload udp_cksum %s" % way,
            "port config 0 rx_offload tcp_cksum %s" % way, "port start 0")
        pair.wait_link()
        assert pair.front.burst_mode("rxq").endswith("_csum") == (way == "on")
        features = int(re.findall(r"live, features 0x([0-9a-f]+)", pair.front.log())[-1], 16)
        assert bool(features & 2) == (way == "on")
        pair.exchange("io", 300, SMALL)
        leave_to_receiver(pair.back)
        # Without the feature the back end sums by itself.
        got = received_flags(pair, packets(20))
        assert ("NONE" in got) == (way == "on"), got
    pair.close()


ALL = ["--enable-rx-cksum"]
IPV4 = [Config("%s-%s-%s" % (layout, mrg, what), front_args=args, packed_vq=int(layout == "packed"),
    mrg_rxbuf=int(mrg == "mrg"))
    for layout in ("split", "packed") for mrg in ("mrg", "nomrg")
    for what, args in (("all", ALL), ("alone", ["--rx-offloads=0x2"]))]


def ip_packets(count):
    """(frames, what their IPv4 headers are): every third has a header that is wrong, every fifth is no IPv4."""
    from scapy.all import ARP, IP, Dot1Q, Ether, IPOption_RR, UDP
    frames, want = [], []
    for n in range(count):
        if n % 5 == 4:
            frame = packet(n, [ARP(psrc="192.0.2.1", pdst="192.0.2.2")])
        else:
            ip = IP(src="192.0.2.1", dst="192.0.2.2", id=n, options=[IPOption_RR()] if n % 2 else [])
            frame = Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb")
            frame = frame / Dot1Q(vlan=5) / ip if n % 4 == 0 else frame / ip
            frame = Ether(bytes(frame / UDP(sport=1, dport=n) / (b"x" * (n % 64))))
            if n % 3 == 0:
                frame[IP].chksum ^= 1 << n % 16
        frames.append(bytes(frame))
        want.append("UNKNOWN" if n % 5 == 4 else "BAD" if n % 3 == 0 else "GOOD")
    return frames, want


@pytest.mark.parametrize("shared_pair", IPV4, indirect=True, ids=lambda c: c.name)
def test_ipv4_headers_are_checked(shared_pair):
    frames, want = ip_packets(120)
    assert "IPv4 checksums" in shared_pair.front.burst_mode("rxq")
    assert received_flags(shared_pair, frames, "IP", "io") == want
    shared_pair.exchange("io", 300, SMALL)
