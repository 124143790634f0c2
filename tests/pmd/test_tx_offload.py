# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Transmit offloads: testpmd leaves checksums, tags and segments to the port, net_vhost takes what the port says of
each packet, and what comes out must be right on the wire."""
import os
import re

import pytest

from frames import SMALL, compare, expected, l4_layers, packet
from pair import Config
from testpmd import wait_for

VLAN_INSERT, IPV4, UDP, TCP, TSO, MULTI_SEGS = 0x1, 0x2, 0x4, 0x8, 0x20, 0x8000
CSUM = IPV4 | UDP | TCP | MULTI_SEGS


def config(layout, what, offloads, *args, **devargs):
    return Config("%s-%s" % (layout, what), front_args=["--tx-offloads=0x%x" % offloads, *args],
        packed_vq=int(layout != "split"), in_order=int(layout != "packed-any"), **devargs)


SUMMED = [config(layout, "csum", CSUM) for layout in ("split", "packed", "packed-any")] + [
    config("packed", "scalar", CSUM, vectorized=0), config("split", "segments", CSUM, "--mbuf-size=384", "--enable-scatter"),
    config("packed", "segments", CSUM, "--mbuf-size=384", "--enable-scatter")]


def spoiled(count):
    """UDP and TCP over IPv4 and IPv6 whose checksums are wrong; and what they must be when they are summed."""
    from scapy.all import IP, TCP as Tcp, UDP as Udp, Ether
    wrong, right = [], []
    for n in range(count):
        good = Ether(bytes(packet(n, l4_layers())))
        right.append(bytes(good))
        for layer in (IP, Tcp, Udp):
            if layer in good:
                good[layer].chksum ^= 0x1234
        wrong.append(bytes(good))
    return wrong, right


def went_well(pair):
    counts = pair.front.xstats()
    assert not {key: value for key, value in counts.items() if key.endswith("_errors") and value}


@pytest.mark.parametrize("shared_pair", SUMMED, indirect=True, ids=lambda c: c.name)
def test_checksums(shared_pair):
    """The back end's application does not ask for checksums, so net_vhost completes what the header leaves to it."""
    front = shared_pair.front
    assert "_offloads" in front.burst_mode("txq")
    wrong, right = spoiled(200)
    mac = shared_pair.mac()
    # Without the csum mode nobody asks for anything, and nothing is done.
    compare(shared_pair.send([wrong], "mac")[0], [expected(frame, "mac", mac) for frame in wrong])
    compare(shared_pair.send([wrong], "csum")[0], [expected(frame, "csum", mac) for frame in right])
    shared_pair.exchange("io", 300, SMALL)
    went_well(shared_pair)


def log_of_flags(pair, frames):
    """What the back end says of the frames that come from the file and from the front end"""
    pair.rewind([frames])
    front, back = pair.front, pair.back
    mark = len(back.log())
    front.cmds("set fwd csum retry", "start")
    back.cmds("set verbose 1", "set fwd io retry")
    # Without waiting for the prompt: what is said of frames may stand in the midst of it.
    os.write(back.terminal, b"start\n")
    try:
        # Of each frame once at the port of the file, and once at the one of the front end.
        wait_for(lambda: len(re.findall(r"ol_flags: ", back.log()[mark:])) >= 2 * len(frames), 15, "frames with flags")
    finally:
        back.stop()
        front.stop()
        back.cmd("set verbose 0")
    return back.log()[mark:]


@pytest.mark.parametrize("layout", ["split", "packed"])
def test_tso(new_pair, layout):
    """testpmd says that segments of 300 bytes are to be made. net_vhost's application gets the packet whole, marked as
    one of several segments, and with the checksum of the whole."""
    from scapy.all import IP, TCP as Tcp, Ether
    pair = new_pair(config(layout, "tso", CSUM | TSO), backend_first=False)
    pair.start_back(more=",tso=1")
    pair.start_front()
    pair.wait_link()
    pair.front.cmds("port stop 0", "tso set 300 0", "port start 0")
    pair.wait_link()
    frames = []
    for n in range(100):
        ip = IP(src="192.0.2.1", dst="192.0.2.2") if n % 2 else l4_layers()[3].copy()
        ip.remove_payload()
        frames.append(Ether(bytes(Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb") / ip
            / Tcp(sport=1, dport=2, seq=n) / bytes(n + i & 0xff for i in range(400 + 9 * n)))))
    right = [bytes(frame) for frame in frames]
    for frame in frames:
        frame[Tcp].chksum ^= 0x4321
        if IP in frame:
            frame[IP].chksum ^= 0x4321
    got = pair.send([[bytes(frame) for frame in frames]], "csum")[0]
    compare(got, [expected(frame, "csum", pair.mac()) for frame in right])
    went_well(pair)
    log = log_of_flags(pair, [bytes(frame) for frame in frames[:10]])
    assert log.count("RTE_MBUF_F_RX_LRO") == 10
    pair.close()


@pytest.mark.parametrize("layout", ["split", "packed"])
def test_vlan(new_pair, layout):
    """In modes that do not call rte_eth_tx_prepare(); testpmd asks for tags in these only."""
    pair = new_pair(config(layout, "vlan", CSUM | VLAN_INSERT))
    pair.front.cmds("port stop 0", "tx_vlan set 0 291", "port start 0")
    pair.wait_link()
    frames = spoiled(300)[0]
    for mode in ("mac", "macswap"):
        untagged = [expected(frame, mode, pair.mac()) for frame in frames]
        compare(pair.send([frames], mode)[0],
            [frame[:12] + bytes.fromhex("81000123") + frame[12:] for frame in untagged])
    went_well(pair)
    pair.close()


NAMES = {"csum": {"UDP_CKSUM", "TCP_CKSUM"}, "tso": {"TCP_TSO"}}
ALWAYS = {"VLAN_INSERT", "IPV4_CKSUM", "MULTI_SEGS", "MBUF_FAST_FREE"}


@pytest.mark.parametrize("more,devargs,want", [
    ("", {}, ALWAYS | NAMES["csum"]), (",tso=1", {}, ALWAYS | NAMES["csum"] | NAMES["tso"]),
    (",tso=1", {"tso": 0}, ALWAYS | NAMES["csum"]), (",tso=1", {"csum": 0}, ALWAYS)])
def test_capabilities(new_pair, more, devargs, want):
    """What the back end has, less what the arguments switch off."""
    pair = new_pair(Config("capabilities", **devargs), backend_first=False)
    pair.start_back(more=more)
    pair.start_front()
    pair.wait_link()
    text = pair.front.cmd("show port 0 tx_offload capabilities")
    assert set(re.search(r"Per Port *:(.*)", text).group(1).split()) == want, text
    assert "_offloads" not in pair.front.burst_mode("txq")
    pair.exchange("io", 300, SMALL)
    pair.close()


@pytest.mark.parametrize("devargs", [{"isolation": "copy"}, {"packed_vq": 0}, {"csum": 0}], ids=lambda d: "%s=%s" % next(iter(d.items())))
def test_other_offloads_at_each_start(new_pair, devargs):
    """A port that is stopped gets others: burst functions and headers follow, and frames come back as they were."""
    pair = new_pair(Config("changing", **devargs), backend_first=False)
    pair.start_back(more=",tso=1")
    pair.start_front()
    pair.wait_link()
    tx = ["vlan_insert", "ipv4_cksum"] + ["tcp_tso", "udp_cksum"] * ("csum" not in devargs)
    rx = ["tcp_lro", "vlan_strip", "ipv4_cksum", "udp_cksum"]
    word, is_on = {"tx": "_offloads", "rx": "IPv4 checksums"}, {"tx": False, "rx": False}
    for way, offloads, switch in [("tx", tx, "on"), ("rx", rx, "on"), ("tx", tx, "off"), ("rx", rx, "off")]:
        pair.front.cmds("port stop 0", *["port config 0 %s_offload %s %s" % (way, name, switch) for name in offloads],
            "port start 0")
        pair.wait_link()
        is_on[way] = switch == "on"
        assert {way: word[way] in pair.front.burst_mode(way + "q") for way in word} == is_on
        pair.exchange("io", 200, SMALL)
