# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Back ends that use what they were given against the port: they hold up a core, or spoil a successor."""
import os
import struct
import time

import pytest

from fake_backend import FakeBackend, Fault
from puppet import BOUNDS, SLACK, Puppet
from testpmd import wait_for

pytestmark = pytest.mark.sluice
LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
# A burst waits for nobody; a core of a busy machine may lose its CPU inside of one.
BURST_US = 500000


@pytest.fixture
def lives(folder):
    running = []

    def start(packed=0, window=64, **how):
        backend = FakeBackend(os.path.join(folder, "f.sock"), **how)
        running.append(backend.close)
        front = Puppet()
        running.append(front.kill)
        front.open(0, "path=%s,packed_vq=%d" % (backend.path, packed))
        front.wait_up(0)
        front.do("poll", 0, window)
        return front, backend
    yield start
    for end in reversed(running):
        end()


def moving(front, more=200, seconds=10):
    before = front.do("counts", 0)["received"]
    wait_for(lambda: front.do("counts", 0)["received"] >= before + more, seconds, "packets")


def stop(front):
    answer = front.call("stop", 0)
    assert answer["us"] < 1e6 * (BOUNDS["stop"] + SLACK), "stop took %g s" % (answer["us"] / 1e6)


@LAYOUTS
@pytest.mark.parametrize("how", ["silent", "late"])
def test_new_pool_is_not_acknowledged(lives, packed, how):
    """Packets of a pool that the back end has not seen: their burst does not wait for it, and all of them are accounted for."""
    front, backend = lives(packed, traffic="echo")
    moving(front)
    backend.faults = [Fault(step, how, seconds=3) for step in ("SET_MEM_TABLE", "ADD_MEM_REG")]
    front.do("idle", 0)
    front.do("foreign", 0)
    front.do("poll", 0, 64)
    time.sleep(4)
    front.do("info", 0)
    slowest = front.do("counts", 0)["slowest_us"]
    assert slowest < BURST_US, "a burst took %g s" % (slowest / 1e6)
    backend.faults = []
    # With a back end that does as it should, or after it was cut off, all goes on.
    front.do("poll", 0, 0)
    moving(front, seconds=15)
    front.do("idle", 0)
    stop(front)
    front.check_pool(0, 15)
    assert backend.error is None, backend.error


@LAYOUTS
@pytest.mark.parametrize("end", ["stop", "dies"])
def test_kick_that_blocks(lives, packed, end):
    """The flags of an eventfd are shared: the back end fills it, and makes writes to it wait."""
    front, backend = lives(packed, window=-1)
    for kick in backend.kicks.values():
        os.set_blocking(kick, False)
        try:
            os.read(kick, 8)  # what is in it, so that as much fits as can
        except BlockingIOError:
            pass
        os.write(kick, struct.pack("<Q", 0xfffffffffffffffe))
        os.set_blocking(kick, True)
    front.do("poll", 0, 0)
    time.sleep(1)
    if end == "dies":
        backend.faults = [Fault("GET_FEATURES", "close")]
        backend.hang_up()
        front.wait_up(0, False, BOUNDS["stop"] + SLACK)
    # The worker makes no new call; the one that it is in ends by the stop at the latest.
    idle = front.begin("idle", 0)
    time.sleep(0.1)
    stop(front)
    idle.wait(5)
    front.check_pool(0, 15)


@LAYOUTS
@pytest.mark.parametrize("stubborn", [False, True], ids=["control", "goes-on"])
def test_successor(lives, packed, stubborn):
    """A back end that was told to stop, or cut off, writes on; its successor has rings and descriptors of its own."""
    front, backend = lives(packed, traffic="drip", is_stubborn=stubborn, window=-1)
    wait_for(lambda: backend.now.traffic is not None and backend.now.traffic.moved > 4, 5, "packets")
    backend.traffic = "echo"
    for _ in range(4):
        before = len(backend.connections)
        backend.hang_up()
        wait_for(lambda n=before: len(backend.connections) > n, 5, "a connection")
        front.wait_up(0)
        front.do("poll", 0, 0)
        moving(front)
        assert front.do("xstats", 0)["device_failures"] == 0
        front.do("poll", 0, -1)
    front.do("idle", 0)
    stop(front)
    front.check_pool(0, 15)
