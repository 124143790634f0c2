# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""VLAN tags that the port takes off, switched on and off while it runs."""
import pytest

from frames import SMALL, compare, make
from pair import Config

CONFIGS = [Config(layout, packed_vq=int(layout == "packed")) for layout in ("packed", "split")]
CONFIGS.append(Config("all", front_args=["--enable-hw-vlan-strip", "--enable-rx-cksum", "--enable-lro"]))
TAG, TAG_OF_QINQ = bytes.fromhex("81000123"), bytes.fromhex("88a80456")


def tagged(count):
    """(with tags, as they are to come)"""
    frames = make(count, SMALL[4:-2])
    kinds = [(b"", b""), (TAG, b""), (TAG_OF_QINQ + TAG, TAG_OF_QINQ + TAG), (TAG + TAG, TAG)]
    return [[frame[:12] + kinds[n % 4][way] + frame[12:] for n, frame in enumerate(frames)] for way in (0, 1)]


@pytest.mark.parametrize("shared_pair", CONFIGS, indirect=True, ids=lambda c: c.name)
def test_strip(shared_pair):
    front = shared_pair.front
    sent, stripped = tagged(400)
    for way in ("on", "off", "on"):
        front.cmd("vlan set strip %s 0" % way)
        assert ("VLAN tags" in front.burst_mode("rxq")) == (way == "on")
        compare(shared_pair.send([sent])[0], stripped if way == "on" else sent)
    front.cmds("port stop 0", "port start 0")
    shared_pair.wait_link()
    compare(shared_pair.send([sent])[0], stripped)
    front.cmd("vlan set strip off 0")
    shared_pair.exchange("io", 300, SMALL)
