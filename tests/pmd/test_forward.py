# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Forwarding modes, byte for byte, over the ring layouts and the features that shape a ring."""
import time

import pytest

from frames import SMALL, compare, expected, l4_layers, packet, read_pcap
from pair import Config
from testpmd import wait_for

LAYOUTS = [Config("%s-%s-%s" % ("packed" if packed else "split", "mrg" if mrg else "nomrg",
    "inorder" if in_order else "noorder"), packed_vq=packed, mrg_rxbuf=mrg, in_order=in_order)
    for packed in (0, 1) for mrg in (1, 0) for in_order in (1, 0)]
# Pools of pinned external buffers, with a cache as testpmd's pools have: where a buffer lies is not known from its mbuf.
PINNED = [Config("pinned-%s" % ("packed" if packed else "split"), packed_vq=packed, front_args=["--mp-alloc=xbuf"])
    for packed in (0, 1)]
# Copies into and out of bounce buffers; with checksums of packets that the device looks at, and without.
COPIES = [Config("copy-%s" % ("packed" if packed else "split"), packed_vq=packed, in_order=packed, isolation="copy",
    front_args=["--enable-rx-cksum"] if packed else []) for packed in (0, 1)]
CONFIGS = [Config("defaults")] + LAYOUTS + PINNED + COPIES
over_all = pytest.mark.parametrize("shared_pair", CONFIGS, indirect=True, ids=lambda c: c.name)


@over_all
@pytest.mark.parametrize("mode", ["io", "mac", "macswap"])
def test_bytes_through(shared_pair, mode):
    shared_pair.exchange(mode, 900, SMALL)


@over_all
def test_csum_repairs_checksums(shared_pair):
    from scapy.all import IP
    layers = l4_layers()
    sent, want = [], []
    mac = shared_pair.mac()
    for number in range(64):
        good = packet(number, layers)
        bad = good.copy()
        bad[2].chksum = 0x1234
        if IP in bad:
            bad[IP].chksum = 0x4321
        sent.append(bytes(bad))
        want.append(expected(bytes(good), "csum", mac))
    assert sent[0][14:] != want[0][14:]
    compare(shared_pair.send([sent], "csum")[0], want)


@over_all
def test_rxonly_receives_all_that_was_sent(shared_pair):
    front, back = shared_pair.front, shared_pair.back
    before, sent = front.stats(), back.stats()["TX-packets"]
    front.cmds("set fwd rxonly", "start")
    back.cmds("set fwd txonly", "set txpkts 64", "start")
    time.sleep(0.4)
    back.stop()
    sent = back.stats()["TX-packets"] - sent
    wait_for(lambda: front.stats()["RX-packets"] - before["RX-packets"] >= sent, 5, "all received")
    front.stop()
    after = front.stats()
    assert sent > 1000
    assert after["RX-packets"] - before["RX-packets"] == sent
    assert after["RX-bytes"] - before["RX-bytes"] == 64 * sent
    assert after["RX-errors"] == before["RX-errors"]


@over_all
def test_txonly_delivers_all_that_was_taken(shared_pair):
    front, back = shared_pair.front, shared_pair.back
    before, received = front.stats(), back.stats()
    back.cmds("set fwd rxonly", "start")
    front.cmds("set fwd txonly", "set txpkts 64", "start")
    time.sleep(0.4)
    front.stop()
    after = front.stats()
    sent = after["TX-packets"] - before["TX-packets"]
    wait_for(lambda: back.stats()["RX-packets"] - received["RX-packets"] >= sent, 5,
        "all delivered")
    back.stop()
    assert sent > 1000
    now = back.stats()
    assert now["RX-packets"] - received["RX-packets"] == sent
    assert now["RX-bytes"] - received["RX-bytes"] == 64 * sent
    assert after["TX-bytes"] - before["TX-bytes"] == 64 * sent


@over_all
@pytest.mark.parametrize("split", ["on", "rand"])
def test_txonly_of_several_segments(shared_pair, split):
    """64+128+256+512 bytes in four mbufs (or a random number of them), as UDP to the back end."""
    from scapy.all import IP, UDP, Ether
    front, back = shared_pair.front, shared_pair.back
    bursts, burst = 3, 32
    received = shared_pair.rewind([[]])
    back.cmd("start")
    front.cmds("set txpkts 64,128,256,512", "set txsplit " + split, "set fwd io retry",
        "start tx_first %d" % bursts)
    want = bursts * burst
    try:
        wait_for(lambda: back.stats(1)["TX-packets"] - received >= want, 5, "segmented frames")
    finally:
        front.stop()
        back.stop()
        front.cmds("set txsplit off", "set txpkts 64")
    packets = read_pcap(shared_pair.pcap("out", 0))
    assert len(packets) == want
    sizes = {len(packet) for packet in packets}
    if split == "on":
        assert sizes == {960}
    else:
        assert sizes <= {64, 192, 448, 960} and len(sizes) > 1
    for packet in packets:
        parsed = Ether(packet)
        assert parsed[IP].len == len(packet) - 14 and parsed[UDP].len == len(packet) - 34
        assert parsed[UDP].dport == 9 and parsed.dst == "02:00:00:00:00:00"
