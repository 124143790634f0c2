# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Frames of 60 to 9000 bytes through one buffer or through many, and ring sizes."""
import pytest

from frames import JUMBO, SMALL, compare, make
from pair import Config
from refusal import has_port, one_line_says, run_front
from testpmd import IS_SLUICE

JUMBO_ARGS = ["--max-pkt-len=9018", "--enable-scatter"]
# Three ways to hold 9000 bytes: five buffers, eighteen, or one; none needs more than 14 MB.
ONE_BUFFER = ["--max-pkt-len=9018", "--mbuf-size=9344", "--total-num-mbufs=1100"]
BUFFERS = {
    "2176": JUMBO_ARGS + ["--mbuf-size=2176", "--total-num-mbufs=4096"],
    "640": JUMBO_ARGS + ["--mbuf-size=640", "--total-num-mbufs=8192"],
    "9344": ONE_BUFFER,
}
JUMBO_CONFIGS = [Config("%s-mrg-mbuf%s" % ("packed" if packed else "split", size),
    front_args=args, packed_vq=packed, mrg_rxbuf=1)
    for packed in (0, 1) for size, args in BUFFERS.items()]
JUMBO_CONFIGS += [Config("%s-nomrg-mbuf9344" % ("packed" if packed else "split"),
    front_args=ONE_BUFFER, packed_vq=packed, mrg_rxbuf=0) for packed in (0, 1)]
JUMBO_CONFIGS += [Config("%s-mrg-noorder-mbuf2176" % ("packed" if packed else "split"),
    front_args=BUFFERS["2176"], packed_vq=packed, in_order=0) for packed in (0, 1)]
# A header that is read takes 12 bytes of the room.
JUMBO_CONFIGS += [Config("%s-csum-mbuf%s" % ("packed" if packed else "split", size),
    front_args=BUFFERS[size] + ["--rx-offloads=0x200c"], packed_vq=packed)
    for packed in (0, 1) for size in ("2176", "640")]
RINGS = [("split", 64), ("split", 256), ("split", 1024), ("packed", 64), ("packed", 256),
    ("packed", 300), ("packed", 1024)]
RING_CONFIGS = [Config("%s-%d" % (kind, size), packed_vq=int(kind == "packed"), queue_size=size,
    front_args=["--rxd=%d" % size, "--txd=%d" % size]) for kind, size in RINGS]


@pytest.mark.parametrize("shared_pair", JUMBO_CONFIGS, indirect=True, ids=lambda c: c.name)
@pytest.mark.parametrize("mode", ["io", "macswap"])
def test_60_to_9000_bytes(shared_pair, mode):
    shared_pair.exchange(mode, 300, JUMBO)


@pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
def test_9000_bytes_into_small_buffers_without_mergeable(fake, packed):
    """Such frames could only be cut or dropped: the port must not start."""
    log, status = run_front("path=%s,packed_vq=%d,mrg_rxbuf=0" % (fake().path, packed),
        ["--max-pkt-len=9018", "--mbuf-size=2176", "--total-num-mbufs=4096"])
    assert has_port(log) and status != 0
    one_line_says(log, "scatter|mergeable|mrg_rxbuf")


@pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
def test_mtu_configured_later(new_pair, packed):
    """1514 bytes at first; after `port config mtu` frames of 9014 bytes pass, and fit exactly."""
    pair = new_pair(Config("mtu", front_args=["--enable-scatter"], packed_vq=packed))
    pair.exchange("io", 100, SMALL)
    pair.front.cmds("port stop 0", "port config mtu 0 9000", "port start 0")
    pair.wait_link()
    assert pair.front.info()["MTU"] == "9000"
    frames = make(100, [60, 1514, 1515, 9013, 9014])
    compare(pair.send([frames])[0], frames)
    pair.close()


@pytest.mark.parametrize("shared_pair", RING_CONFIGS, indirect=True, ids=lambda c: c.name)
@pytest.mark.parametrize("mode", ["io", "mac"])
def test_ring_size(shared_pair, mode):
    """More frames than any ring has entries: every ring wraps."""
    shared_pair.exchange(mode, 2500, [60, 200])
    if IS_SLUICE:
        size = shared_pair.config.devargs["queue_size"]
        assert shared_pair.front.ring_size("rxq", 0) == size
        assert shared_pair.front.ring_size("txq", 0) == size
