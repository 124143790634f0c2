# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Large receive offload: TCP packets that one port of the driver leaves whole, net_vhost carries to another one, which
says what they are. What comes out must have all its bytes, and checksums that are right."""
import os
import re

import pytest

from frames import compare, l4_layers, read_pcap, write_pcap
from pair import Config, check_pool
from testpmd import VDEV, wait_for

SEGMENT = 1000
GUEST_FEATURES = 1 << 1 | 1 << 7 | 1 << 8 | 1 << 9     # CSUM, TSO4, TSO6, ECN
CASES = {"packed": {}, "split": {"packed_vq": 0}, "packed-any": {"in_order": 0}, "scalar": {"vectorized": 0}}


class Line:
    """in.pcap -> port 1 -> vhost -> port 2 -> out.pcap, both ports in one front end, in testpmd's csum mode"""

    def __init__(self, testpmds, folder, devargs):
        self.names = {name: os.path.join(folder, name) for name in ("in", "out", "a", "b", "none")}
        for name in ("in", "none"):
            write_pcap(self.names[name], [])
        # What a packet asked for when it came it asks for when it goes: such are the old flags.
        self.back = testpmds(["net_vhost%d,iface=%s,tso=1,legacy-ol-flags=1" % (n, self.names[name])
            for n, name in enumerate("ab")], args=["--total-num-mbufs=4096"])
        more = "".join(",%s=%s" % item for item in devargs.items())
        self.front = testpmds(["net_pcap0,rx_pcap=%s,tx_pcap=/dev/null" % self.names["in"]]
            + ["%s%d,path=%s%s" % (VDEV, n, self.names[name], more) for n, name in enumerate("ab")]
            + ["net_pcap1,rx_pcap=%s,tx_pcap=%s" % (self.names["none"], self.names["out"])],
            front=True, eal=["--single-file-segments", "--log-level=pmd.net.sluice:info"], args=["--total-num-mbufs=8192"])
        self.front.cmds("set burst tx delay 1 retry 2000000")
        self.back.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry", "start")
        self.front.cmds("port stop all", "csum set tcp hw 1", "csum set ip hw 1", "tso set %d 1" % SEGMENT)

    def start(self, lro):
        self.front.cmds("port config 2 rx_offload tcp_lro %s" % ("on" if lro else "off"), "port start all")
        for port in (1, 2):
            wait_for(lambda p=port: self.front.link_up(p), 10, "link of port %d" % port)

    def play(self, frames, is_done, what, is_loud=False):
        write_pcap(self.names["in"], frames)
        self.front.cmds("port stop 0", "port start 0", "port stop 3", "port start 3", "set fwd csum retry")
        # What is said of packets may stand in the midst of the prompt.
        if is_loud:
            os.write(self.front.terminal, b"start\n")
        else:
            self.front.cmd("start")
        try:
            wait_for(is_done, 20, what)
        finally:
            self.front.stop()

    def send(self, frames):
        before = self.front.stats(3)["TX-packets"]
        self.play(frames, lambda: self.front.stats(3)["TX-packets"] - before >= len(frames), "frames at the end")
        return read_pcap(self.names["out"])

    def close(self):
        self.back.stop()
        self.front.cmds("port stop all")
        check_pool(self.front)
        self.front.quit()
        self.back.quit()


def packets(count):
    """TCP over IPv4 and IPv6, with options and without, from less than a segment to 16 of them: net_pcap writes no more
    of a chain."""
    from scapy.all import IP, TCP, Ether
    for n in range(count):
        ip = IP(src="192.0.2.1", dst="192.0.2.2", id=n) if n % 2 else l4_layers()[3].copy()
        ip.remove_payload()
        tcp = TCP(sport=1, dport=2, seq=n, options=[("Timestamp", (n, 0))] if n % 3 else [])
        length = SEGMENT - 1 + n if n < 4 else 16000 * n // count
        yield bytes(Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb") / ip / tcp
            / bytes(n + i * i >> 3 & 0xff for i in range(length)))


def payload(frame):
    from scapy.all import TCP, Ether
    return len(Ether(frame)[TCP].payload)


@pytest.mark.parametrize("case", CASES)
def test_lro(testpmds, folder, case):
    line = Line(testpmds, folder, CASES[case])
    frames = list(packets(60))
    line.start(lro=True)
    compare([frame[12:] for frame in line.send(frames)], [frame[12:] for frame in frames])
    counts = line.front.xstats(2)
    assert counts["rx_q0_lro_packets"] == sum(payload(frame) > SEGMENT for frame in frames)
    assert counts["rx_q0_multi_buffer_packets"] >= 40
    assert not {key: value for key, value in counts.items() if key.endswith("_errors") and value}
    # The application is told. (Of tso_segsz testpmd says what it has set there meanwhile.)
    line.front.cmd("set verbose 1")
    mark = len(line.front.log())
    line.play(frames[10:20], lambda: len(re.findall(r"ol_flags: .*RTE_MBUF_F_RX_L4_CKSUM_NONE .*RTE_MBUF_F_RX_LRO ",
        line.front.log()[mark:])) == 10, "packets of several segments", is_loud=True)
    line.front.cmd("set verbose 0")
    line.close()


def test_not_asked_for(testpmds, folder):
    """The features come with the wish, and so does the burst function; and they go with it."""
    line = Line(testpmds, folder, {})
    for lro in (False, True, False):
        line.start(lro)
        features = int(re.findall(r"path=\S+/b: live, features 0x([0-9a-f]+)", line.front.log())[-1], 16)
        assert features & GUEST_FEATURES == (GUEST_FEATURES if lro else 0)
        assert ("_csum" in line.front.cmd("show rxq info 2 0")) == lro
        line.front.cmd("port stop all")
    line.close()


CAPABILITIES = [("packed", {}, True), ("split", {"packed_vq": 0}, True), ("off", {"lro": 0}, False),
    ("one-buffer", {"mrg_rxbuf": 0}, False)]


@pytest.mark.parametrize("name,devargs,has_lro", CAPABILITIES, ids=lambda value: value if isinstance(value, str) else "")
def test_capabilities(new_pair, name, devargs, has_lro):
    pair = new_pair(Config(name, **devargs))
    text = pair.front.cmd("show port 0 rx_offload capabilities")
    assert ("TCP_LRO" in text) == has_lro, text
    assert pair.front.info()["Maximum configurable size of LRO aggregated packet"] == "65597"
    pair.front.cmds("port stop 0")
    said = pair.front.cmd("port config 0 rx_offload tcp_lro on") + pair.front.cmd("port start 0", 30)
    assert ("does not support" in said or "Invalid" in said or "Fail" in said) == (not has_lro), said
    if has_lro:
        pair.wait_link()
        pair.exchange("io", 300, [60, 1514])
        pair.front.cmds("port stop 0", "port config all max-lro-pkt-size 9000")
        assert "max_lro_pkt_size=9000" in pair.front.cmd("port start 0", 30)
        pair.front.cmds("port config all max-lro-pkt-size 0", "port start 0")
        pair.wait_link()
        pair.close()
