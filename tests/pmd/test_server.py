# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""server=1: the port listens, comes up without link, and back ends come and go."""
import os
import time

import pytest

from frames import SMALL
from pair import Config, Pair, check_pool
from testpmd import wait_for

pytestmark = pytest.mark.sluice
LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])


@pytest.fixture
def server(folder):
    pairs = []

    def start(front_eal=(), **devargs):
        pairs.append(Pair(Config("server", server=1, front_eal=front_eal, **devargs), folder, backend_first=False))
        pairs[0].start_front()
        return pairs[0]
    yield start
    for pair in pairs:
        pair.kill()


@LAYOUTS
def test_start_is_not_blocked_and_link_follows_the_back_end(server, packed):
    start = time.monotonic()
    pair = server(packed_vq=packed)
    # testpmd itself waits 9 s for a link that does not come.
    assert time.monotonic() - start < 15
    assert not pair.front.link_up()
    pair.start_back(client=1)
    pair.wait_link()
    pair.exchange("io", 300, SMALL)
    pair.close()
    assert not os.path.exists(pair.path), "the server removes its socket"


def test_traffic_calls_before_any_back_end(server):
    """Bursts on a port without a back end move nothing and keep no mbuf."""
    pair = server()
    pair.front.cmds("set fwd txonly", "start")
    time.sleep(0.2)
    pair.front.stop()
    assert pair.front.stats()["TX-packets"] == 0
    pair.front.cmds("port stop 0", "port close 0")
    check_pool(pair.front)
    pair.front.quit()


@LAYOUTS
@pytest.mark.parametrize("traffic", [False, True], ids=["idle", "traffic"])
def test_back_end_killed_and_restarted(server, packed, traffic):
    pair = server(packed_vq=packed)
    for _ in range(3):
        pair.start_back(client=1)
        pair.wait_link()
        pair.exchange("macswap", 300, SMALL)
        if traffic:
            pair.front.cmds("set fwd io", "start")
            pair.back.cmds("set fwd txonly", "start")
            time.sleep(0.2)
        pair.back.kill()
        wait_for(lambda: not pair.front.link_up(), 5, "link down")
        if traffic:
            pair.front.stop()
    pair.start_back(client=1)
    pair.wait_link()
    pair.exchange("io", 300, SMALL)
    pair.close()


@LAYOUTS
def test_pool_of_one_core(server, packed):
    """A pool that only one core may use: what a back end had when it went goes back by that core's hand."""
    pair = server(front_eal=["--mbuf-pool-ops-name=ring_sp_sc"], packed_vq=packed)
    front = pair.front
    front.cmds("set fwd io", "start")
    for _ in range(10):
        pair.start_back(client=1)
        pair.wait_link()
        pair.back.cmds("set fwd txonly", "start")
        time.sleep(0.1)
        pair.back.kill()
        wait_for(lambda: not front.link_up(), 5, "link down")
    time.sleep(0.3)
    front.stop()
    front.cmds("port stop 0", "port close 0")
    check_pool(front)
    front.quit()


def test_port_restarted_while_the_back_end_is_away(server):
    pair = server()
    pair.start_back(client=1)
    pair.wait_link()
    pair.back.kill()
    wait_for(lambda: not pair.front.link_up(), 5, "link down")
    pair.front.cmd("port stop 0")
    pair.front.cmd("port start 0", timeout=30)
    pair.start_back(client=1)
    pair.wait_link()
    pair.exchange("io", 300, SMALL)
    pair.close()


def test_path_in_use(server, folder):
    """A second server on a path that another one listens on must not steal it."""
    from refusal import has_port, one_line_says, run_front
    pair = server()
    log, _ = run_front("path=%s,server=1" % pair.path)
    assert not has_port(log)
    one_line_says(log, pair.path, "in use|listen|bind|exist")
    pair.start_back(client=1)
    pair.wait_link()
    pair.exchange("io", 100)
    pair.close()
