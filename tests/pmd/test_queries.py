# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What an application can ask a running port: burst modes, descriptor status, cleanup, events."""
import platform
import re

import pytest

from frames import SMALL
from pair import Config
from testpmd import FRONT, wait_for

pytestmark = pytest.mark.sluice
CONFIGS = [Config("%s-%s-%s" % ("packed" if packed else "split", "mrg" if mrg else "nomrg",
    "inorder" if order else "noorder"), packed_vq=packed, mrg_rxbuf=mrg, in_order=order)
    for packed in (0, 1) for mrg in (0, 1) for order in (0, 1)]


def widest():
    """The instruction set that the front end's machine has and EAL allows by default."""
    if "aarch64" in (platform.machine(), *FRONT[0].split("-")):
        return "NEON"
    with open("/proc/cpuinfo") as file:
        return "AVX2" if " avx2 " in file.read() else "Scalar"


@pytest.mark.parametrize("shared_pair", CONFIGS, indirect=True, ids=lambda c: c.name)
def test_burst_modes(shared_pair):
    """The names follow the features that were negotiated, and the machine."""
    kind = shared_pair.config.name.split("-")[0]
    for way in ("rxq", "txq"):
        assert shared_pair.front.burst_mode(way) == "Sluice %s %s" % (widest(), kind)


def status(front, way, slot, queue=0):
    text = front.cmd("show port 0 %s %d desc %d status" % (way, queue, slot))
    found = re.search(r"Desc status = (\w+)", text)
    return found.group(1) if found else None


@pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
def test_descriptor_status(new_pair, packed):
    """Packets that nobody took are DONE on the receiving side, and the next descriptor waits."""
    pair = new_pair(Config("status", packed_vq=packed))
    front, back = pair.front, pair.back
    assert status(front, "rxq", 0) == "AVAILABLE"
    assert status(front, "txq", 0) == "DONE"
    back.cmds("set fwd txonly", "set txpkts 64", "start")
    wait_for(lambda: status(front, "rxq", 200) == "DONE", 5, "a filled receive ring")
    back.stop()
    assert status(front, "rxq", 256) is None, "beyond the ring"
    for way in ("rxq", "txq"):
        assert status(front, way, 0, queue=1) is None, "a queue that is not set up"
    assert "Invalid queueid" in front.cmd("show port 0 rxq 1 desc used count")
    # A transmit ring that the back end does not empty is full.
    front.cmds("set fwd txonly", "start")
    wait_for(lambda: status(front, "txq", 255) == "FULL", 5, "a full transmit ring")
    front.stop()
    pair.close()


@pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
def test_cleanup_on_demand(new_pair, packed):
    """What was sent and is still held comes back when it is asked for, and only once."""
    pair = new_pair(Config("cleanup", packed_vq=packed))
    pair.exchange("io", 300, SMALL)
    held = [int(re.search(r"mbuf nums: (\d+)", pair.front.cmd("port cleanup 0 txq 0 0")).group(1))
        for _ in range(2)]
    assert held[0] > 0 and held[1] == 0
    pair.close()


def test_link_events(new_pair):
    pair = new_pair(Config("events"))
    assert "link state change event" not in pair.front.log()
    pair.back.kill()
    pair.front.wait_log("Port 0: link state change event")
    assert not pair.front.link_up()
