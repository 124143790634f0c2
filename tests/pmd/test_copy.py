# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""isolation=copy: the back end sees rings and bounce buffers, whatever pools the application has. That packets come through
byte for byte is in test_forward.py, with a back end that restarts in test_restart.py."""
import re

import pytest

from figures import run_app
from frames import SMALL
from pair import Config
from refusal import one_line_says, run_front
from test_map import run_map, told
from test_memory import LAYOUTS, MIB, SEALS, connect, ring_regions
from test_telemetry import Telemetry
from testpmd import wait_for

pytestmark = pytest.mark.sluice


def slots(room):
    """Bytes of bounce buffers of a ring of 256, as the guide says it"""
    lines = (room + 12 + 63) // 64
    return 64 + 256 * 64 * (lines + (lines + 1) % 2)


@LAYOUTS
def test_the_table_holds_rings_and_bounce_buffers(fake, testpmds, packed):
    """One sealed file: below 2 MiB for a queue pair of 256, and what the guide's formula says, but for the rings themselves.
    The files count: a back end can map all of one."""
    backend, front = connect(fake, testpmds, ",isolation=copy,packed_vq=%d" % packed)
    assert len(backend.regions) == 1
    region, = backend.regions
    assert ring_regions(backend) == [region] and region.seals() & SEALS == SEALS
    assert slots(2048) + slots(1526) <= region.size <= region.file_size <= 2 * MIB
    front.cmds("port stop 0", "port start 0")
    wait_for(backend.ready, 5, "negotiation")
    assert len(backend.regions) == 1 and backend.regions[0].file_size <= 2 * MIB
    front.quit()
    assert backend.error is None


def test_a_pool_is_never_shown(new_pair, folder):
    """Traffic both ways, checksums and segments; telemetry and the map know one piece, by name, before and after."""
    pair = new_pair(Config("shown", queues=2, front_eal=["--telemetry"], isolation="copy"))
    ask = Telemetry(pair.front.prefix)
    for _ in range(2):
        region, = told(ask)
        assert (region["owner"], region["name"]) == ("coherent", "rings and bounce buffers")
        assert ask("/sluice/dma/stats,0")["reachable_bytes"] == region["length"] <= 2 * 2 * MIB
        pair.exchange("io", 600, SMALL)
    assert re.search(r"rings and bounce buffers +0x", run_map("-p", pair.front.prefix)[1])
    assert re.search(r"_copy\b", pair.front.burst_mode("rxq")) and re.search(r"_copy\b", pair.front.burst_mode("txq"))
    pair.close()


def test_pools_without_a_file(fake, new_pair):
    """Anonymous memory, which no back end could be shown: the level in between refuses it, and says what helps."""
    log, _ = run_front("path=" + fake().path, ["--mp-alloc=anon"])
    one_line_says(log, "cannot show mempool", "no file behind it", "isolation=copy")
    pair = new_pair(Config("anon", isolation="copy", front_args=["--mp-alloc=anon"]))
    pair.exchange("io", 600, SMALL)
    pair.close()


def test_mtu_while_the_port_runs(new_pair):
    """Bounce buffers are made with the rings: what they have no room for is refused, and goes through after a restart."""
    pair = new_pair(Config("mtu", isolation="copy", front_args=["--mbuf-size=4096"], mrg_rxbuf=0))
    front = pair.front
    said = front.cmd("port config mtu 0 3000")
    one_line_says(said, "MTU 3000", "3014 bytes", "isolation=copy", "stop the port")
    pair.exchange("io", 300, SMALL)
    front.cmds("port stop 0", "port config mtu 0 3000", "port start 0")
    pair.wait_link()
    pair.exchange("io", 300, (60, 2900))
    pair.close()


@pytest.mark.parametrize("level", ["scoped", "copy"])
def test_cycles(folder, level):
    """They are there, and say what else the machine does: doc/perf.md has those of a quiet one."""
    path = folder + "/v.sock"
    found = run_app("copy_cycles", ["net_vhost0,iface=%s,client=1" % path, "net_sluice0,path=%s,server=1,isolation=%s" % (path, level)], [1518])
    print(level, found)
    assert all(found[name] > 0 for name in ("front_tx", "front_rx", "back_tx", "back_rx", "copy_tx", "copy_rx", "copy_near")), found
