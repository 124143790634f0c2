# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Unknown and malformed devargs: refused at once, by a line with key, value and what is allowed."""
import os

import pytest

from fake_backend import F_IN_ORDER, F_MRG_RXBUF, F_RING_PACKED, bits
from refusal import has_port, one_line_says, run_front
from testpmd import VDEV, wait_for

SWITCH = r"\b0\b.{1,8}\b1\b"
BAD = [("queues", value, r"\b1\b") for value in ("0", "-1", "abc", "1x", "100000", "")]
BAD += [("queue_size", value, r"32768") for value in ("0", "abc", "65536", "99999999999999999999")]
BAD += [("mac", value, r"([0-9a-z]{2}:){5}") 
    for value in ("zz", "02:00:00:00:00", "02:00:00:00:00:0g")]
BAD += [("mac", "01:00:00:00:00:01", r"unicast|multicast"),
    ("mac", "00:00:00:00:00:00", r"zero|unicast")]
BAD += [(key, value, SWITCH) for value in ("2", "maybe")
    for key in ("server", "packed_vq", "mrg_rxbuf", "in_order", "vectorized")]
BAD += [("speed", value, r"Mb|number|integer|\b0\b") for value in ("-1", "fast")]
BAD += [("isolation", value, r"scoped, sealed, copy or none") for value in ("foo", "")]


@pytest.mark.sluice
@pytest.mark.parametrize("key,value,allowed", BAD, ids=["%s=%s" % bad[:2] for bad in BAD])
def test_refused_value(fake, key, value, allowed):
    backend = fake()
    log, _ = run_front("path=%s,%s=%s" % (backend.path, key, value))
    assert not has_port(log)
    one_line_says(log, r"\b%s\b" % key, value, allowed)
    assert not backend.messages, "devargs are checked before the back end is asked"


@pytest.mark.sluice
@pytest.mark.parametrize("size", ["100", "300"])
def test_split_rings_have_a_power_of_two(fake, size):
    log, _ = run_front("path=%s,packed_vq=0,queue_size=%s" % (fake().path, size))
    assert not has_port(log)
    one_line_says(log, r"\bqueue_size\b", size, r"power of (2|two)")


@pytest.mark.sluice
def test_unknown_key_is_named_with_the_known_ones(fake):
    log, _ = run_front("path=%s,colour=red" % fake().path)
    assert not has_port(log)
    one_line_says(log, "colour", "path", "queue_size", "isolation")


@pytest.mark.sluice
@pytest.mark.parametrize("devargs", ["", "queues=1", "path="],
    ids=["none", "no-path", "empty-path"])
def test_path_missing(devargs):
    log, _ = run_front(devargs)
    assert not has_port(log)
    one_line_says(log, r"\bpath\b", "missing|required|allowed")


@pytest.mark.sluice
def test_path_too_long():
    log, _ = run_front("path=/tmp/" + "x" * 120)
    assert not has_port(log)
    one_line_says(log, r"\bpath\b", r"10[78]")


def test_mac_is_taken(fake, testpmds):
    front = testpmds(["%s0,path=%s,mac=02:11:22:33:44:55" % (VDEV, fake().path)], front=True)
    assert front.info()["MAC address"] == "02:11:22:33:44:55"
    front.quit()


@pytest.mark.sluice
def test_speed_is_taken(fake, testpmds):
    front = testpmds(["%s0,path=%s,speed=25000" % (VDEV, fake().path)], front=True)
    assert front.info()["Link speed"] == "25 Gbps"
    front.quit()


@pytest.mark.parametrize("devargs,bit,taken", [
    ("packed_vq=1", F_RING_PACKED, True), ("packed_vq=0", F_RING_PACKED, False),
    ("mrg_rxbuf=1", F_MRG_RXBUF, True), ("mrg_rxbuf=0", F_MRG_RXBUF, False),
    ("in_order=1", F_IN_ORDER, True), ("in_order=0", F_IN_ORDER, False)])
def test_switches_reach_the_negotiation(fake, testpmds, devargs, bit, taken):
    """Both positions of every switch, seen from the back end's side."""
    backend = fake()
    front = testpmds(["%s0,path=%s,%s" % (VDEV, backend.path, devargs)], front=True)
    wait_for(backend.ready, 5, "negotiation")
    assert bool(backend.acked_features & bits(bit)) == taken
    front.quit()
    assert backend.error is None


def test_the_socket_is_left_alone(fake, testpmds):
    """A client does not remove the back end's socket when it ends."""
    backend = fake()
    front = testpmds(["%s0,path=%s" % (VDEV, backend.path)], front=True)
    front.quit()
    assert os.path.exists(backend.path)
