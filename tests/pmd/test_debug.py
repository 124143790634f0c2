# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""dma_debug=1: stock testpmd and net_vhost do nothing that the checker would report. A back end and an application do, some of
what is in the unit tests, a fault of each kind."""
import os
import re
import struct
import subprocess

import pytest

from fake_backend import F_RING_PACKED, FEATURES, bits
from fake_rings import FRAME, HDR_LEN
from frames import SMALL
from pair import Config
from applications import is_told_once
from refusal import one_line_says, run_front
from test_telemetry import Telemetry
from testpmd import BUILD, PLUGIN, VDEV, die_with_parent, environment, wait_for

pytestmark = pytest.mark.sluice


@pytest.mark.parametrize("devargs", [{}, {"packed_vq": 0, "vectorized": 0, "mrg_rxbuf": 0}, {"isolation": "copy"}],
    ids=["default", "split", "copy"])
def test_traffic_is_silent(new_pair, devargs):
    """Both ways, small and large frames, a restart; the functions that run are those that look, around the same ones as ever."""
    pair = new_pair(Config("debug", front_eal=["--telemetry"], dma_debug=1, **devargs))
    front = pair.front
    assert front.burst_mode("rxq").endswith(", checked") and front.burst_mode("txq").endswith(", checked")
    pair.exchange("io", 600, SMALL)
    pair.exchange("macswap", 300, (60, 1514))
    front.cmds("port stop 0", "port start 0")
    pair.wait_link()
    pair.exchange("io", 300, SMALL)
    assert front.xstats()["dma_debug_reports"] == 0
    stats = Telemetry(front.prefix)("/sluice/dma/stats,0")
    assert stats["dma_debug_reports"] == 0 and "dma_debug_1" not in stats
    pair.close()
    assert "dma_debug: " not in front.log()


def test_frames_fit_as_ever(new_pair):
    """Buffers into which frames of the MTU just fit: they are not shortened, or testpmd, which takes no parts, would lose those."""
    pair = new_pair(Config("debug", front_args=["--mbuf-size=%d" % (128 + 12 + 1514)], dma_debug=1))
    pair.exchange("io", 300, (1514,))
    assert pair.front.xstats()["dma_debug_reports"] == 0


def test_bad_value():
    log, _ = run_front("path=/x,dma_debug=2")
    one_line_says(log, "dma_debug=2", "0 or 1")


def reports(log):
    """In their order: what, and where it says that the buffer was given"""
    return re.findall(r"dma_debug: path=[^:]*: ([^:,(]*\w)", log)


def deliver(traffic, chain, before=0, behind=0, beyond=0):
    """A packet into a buffer; and a byte so far before it, behind what it filled, or behind its end"""
    memory, (address, length) = traffic.to_front.memory, chain.pieces[0]
    size = traffic.to_front.fill(chain, bytes(HDR_LEN - 2) + b"\1\0" + FRAME)
    for offset in [-before] * (before > 0) + [size - 1 + behind] * (behind > 0) + [length - 1 + beyond] * (beyond > 0):
        memory.write(address + offset, bytes([memory.read(address + offset, 1)[0] ^ 0xff]))
    traffic.to_front.put(chain, size)


@pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
def test_a_hostile_back_end_is_told_of(fake, testpmds, packed):
    """It writes around what it may fill, into packets that it only reads, into the rings' descriptors, and returns a buffer twice."""
    backend = fake(features=FEATURES if packed else FEATURES & ~bits(F_RING_PACKED), traffic="hold")
    front = testpmds(["%s0,path=%s,packed_vq=%d,dma_debug=1" % (VDEV, backend.path, packed)], front=True)
    wait_for(lambda: backend.ready() and backend.now.traffic is not None and len(backend.now.traffic.held) > 8, 5, "buffers")
    traffic = backend.now.traffic
    # Of its own packets none is completed: testpmd looks at them with each one that it forwards.
    front.cmd("start tx_first")
    sent = []

    def is_told(count):
        wait_for(lambda: len(reports(front.log())) >= count, 5, "report %d" % count)
        return reports(front.log())[count - 1]

    def has_sent():
        with backend.now.moving:
            sent.extend(traffic.from_front.take_all())
        return len(sent) >= 32
    wait_for(has_sent, 5, "packets")

    def act(**how):
        with backend.now.moving:
            deliver(traffic, traffic.held.pop(0), **how)
    act()
    # What a buffer held is known from the first poll on, which comes after the packets of tx_first.
    wait_for(lambda: front.xstats()["rx_good_packets"] >= 1, 5, "a packet received")
    act(behind=7)
    assert "behind the bytes that the device returned" in is_told(1)
    act(before=3)
    assert "before the bytes that the device got" in is_told(2)
    act(beyond=2)
    assert "behind the bytes that the device got" in is_told(3)
    with backend.now.moving:
        traffic.from_front.memory.write(sent[3].pieces[0][0] + HDR_LEN + 20, b"\xee")
    act()
    assert "written to while the device has it" in is_told(4)
    with backend.now.moving:
        traffic.from_front.memory.write(traffic.from_front.desc + 16 * sent[4].ident, struct.pack("<Q", 1 << 40))
    act()
    assert "the ring was changed" in is_told(5)
    with backend.now.moving:
        chain = traffic.held.pop(0)
        deliver(traffic, chain)
        deliver(traffic, chain)
    assert "the device returned something twice" in is_told(6)
    wait_for(lambda: front.xstats()["device_failures"] == 1, 5, "a failed port")
    # Nothing else was told of, and each kind once.
    assert reports(front.log())[6:] == [] and front.xstats()["dma_debug_reports"] >= 6
    front.cmd("stop")
    front.quit()


@pytest.mark.parametrize("what,report", [("twice", "given although the device has it already"),
    ("end", "bytes beyond the end of what is mapped"), ("write", "written to while the device has it"),
    ("free", "freed while a device has it")])
def test_a_wrong_application_is_told_of(fake, what, report):
    """app/wrong_buffers.c: one line, with queue, slot, mbuf and pool. What it does again is counted."""
    backend = fake(traffic="hold")
    done = subprocess.run([os.path.join(BUILD, "tests", "wrong_buffers"), "--no-pci", "--iova-mode=va", "--in-memory", "--no-telemetry",
        "-m", "32", "-l", "0", "-d", os.path.basename(PLUGIN), "--vdev=%s0,path=%s,dma_debug=1" % (VDEV, backend.path), "--", what],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=die_with_parent, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    is_told_once(done.stdout, report)
