# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Packet types: told since an application asks for them, which testpmd does not by default. Beside those of the port
testpmd prints those that rte_net_get_ptype() finds, so both can be compared."""
import re

import pytest

from frames import SMALL, l4_layers, packet
from pair import Config
from testpmd import wait_for

CONFIGS = [Config(layout, packed_vq=int(layout == "packed")) for layout in ("packed", "split")]
CONFIGS.append(Config("all", front_args=["--enable-rx-cksum", "--enable-lro", "--rss-udp"]))
EVERYTHING = "0xfff"


def packets(count):
    """(frames, their types)"""
    from scapy.all import ARP, IP, IPOption_RR, SCTP, Dot1Q, UDP, IPv6, IPv6ExtHdrRouting
    layers = l4_layers()
    layers += [IP(src="192.0.2.1", dst="192.0.2.2", options=[IPOption_RR()]) / UDP(), IP(frag=10, proto=17),
        IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrRouting() / UDP(), IP() / SCTP(),
        ARP(psrc="192.0.2.1", pdst="192.0.2.2"), Dot1Q(vlan=7) / layers[1]]
    types = ["L2_ETHER L3_IPV4 L4_UDP", "L2_ETHER L3_IPV4 L4_TCP", "L2_ETHER L3_IPV6 L4_UDP", "L2_ETHER L3_IPV6 L4_TCP",
        "L2_ETHER L3_IPV4_EXT L4_UDP", "L2_ETHER L3_IPV4 L4_FRAG", "L2_ETHER L3_IPV6_EXT L4_UDP",
        "L2_ETHER L3_IPV4 L4_SCTP", "L2_ETHER", "L2_ETHER_VLAN L3_IPV4 L4_TCP"]
    return ([bytes(packet(n, layers)) for n in range(count)], [types[n % len(types)] for n in range(count)])


def told(pair, sent):
    """What the port says of each frame; "" for nothing, of which testpmd prints nothing."""
    mark = len(pair.front.log())
    pair.rewind([sent])
    pair.front.cmds("set verbose 1", "set fwd rxonly", "start")
    pair.back.cmds("set fwd io retry", "start")
    found = []

    def seen():
        found[:] = re.findall(r"(?:hw ptype: ([A-Z0-9_ ]+?) *)?- sw ptype:", pair.front.log()[mark:])
        return len(found) >= len(sent)
    try:
        wait_for(seen, 10, "%d frames with types" % len(sent))
    finally:
        pair.back.stop()
        pair.front.stop()
        pair.front.cmd("set verbose 0")
    return found


@pytest.mark.parametrize("shared_pair", CONFIGS, indirect=True, ids=lambda c: c.name)
def test_types_are_told_to_who_asks(shared_pair):
    front = shared_pair.front
    sent, types = packets(100)
    assert "packet types" not in front.burst_mode("rxq")
    assert set(told(shared_pair, sent)) == {""}
    # While the port runs, and over a restart.
    front.cmd("set port 0 ptype_mask " + EVERYTHING)
    assert "packet types" in front.burst_mode("rxq")
    assert told(shared_pair, sent) == types
    front.cmds("port stop 0", "port start 0")
    shared_pair.wait_link()
    assert told(shared_pair, sent) == types
    front.cmd("set port 0 ptype_mask 0xf0")
    assert told(shared_pair, sent) == [(re.findall(r"L3_\w+", text) or [""])[0] for text in types]
    shared_pair.exchange("io", 300, SMALL)
    front.cmd("set port 0 ptype_mask 0")
    assert set(told(shared_pair, sent)) == {""}
    assert "packet types" not in front.burst_mode("rxq")


def test_a_question_is_a_wish(new_pair):
    """Who asks which types are known relies on them, and nobody who said what it wants is told others."""
    pair = new_pair(Config("asks"))
    text = pair.front.cmd("show port 0 ptypes")
    assert "L4_UDP" in text and "L3_IPV6_EXT" in text and "TUNNEL" not in text, text
    # testpmd has said at each start that it wants none.
    assert "packet types" not in pair.front.burst_mode("rxq")
    pair.close()
