# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What known applications ask of ethdev before their first packet: each starts, with a back end that has much and with
one that has little, and packets come through."""
import os
import shutil

import pytest

from applications import TABLE, TOLD, TRANSMITS, is_ready, received
from l3fwd import Other
from testpmd import BUILD, VDEV, wait_for

pytestmark = pytest.mark.sluice

# Queues and devargs of net_vhost, devargs of the port. Mergeable buffers stay: without them there is no scattered receive.
PEERS = {"much": (4, "tso=1", "queues=4"), "little": (1, "tso=0", "packed_vq=0,in_order=0")}


class Application(Other):
    """first_calls.c"""

    def __init__(self, name, path, devargs):
        super().__init__(os.path.join(BUILD, "tests", "first_calls"), "%s0,path=%s,%s" % (VDEV, path, devargs),
            args=["--", name])
        self.wait_log(TOLD, 20)


def test_no_name_is_missed():
    assert TABLE.count(".name = ") == len(TRANSMITS)


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("name", TRANSMITS)
def test_starts(folder, testpmds, name, peer):
    path, (queues, offers, devargs) = os.path.join(folder, "v.sock"), PEERS[peer]
    back = testpmds(["net_vhost0,iface=%s,client=0,queues=%d,%s" % (path, queues, offers)],
        args=["--rxq=%d" % queues, "--txq=%d" % queues])
    app = Application(name, path, devargs)
    try:
        is_ready(app.log())
        wait_for(back.link_up, 10, "a link")
        back.cmds("set fwd io", "start tx_first 2")
        if TRANSMITS[name]:
            wait_for(lambda: back.stats()["RX-packets"] > 1000, 10, "packets that come back")
            back.cmds("stop", "set fwd rxonly", "start")
            wait_for(lambda: back.stats()["RX-packets"] == back.stats()["TX-packets"], 10, "all packets")
        back.stop()
        app.quit()
        assert received(app.log()) == back.stats()["TX-packets"] >= 64
    finally:
        app.kill()


@pytest.mark.skipif(not shutil.which("dpdk-test-pipeline"), reason="no dpdk-test-pipeline (Debian: dpdk-dev)")
def test_pipeline(folder, testpmds):
    """DPDK's own, which asks for all checksums, and ends at once if a link is not up behind the start of its port. One core
    receives, one works, one transmits: each port gives back what it gets."""
    paths = [os.path.join(folder, name) for name in ("a.sock", "b.sock")]
    back = testpmds(["net_vhost%d,iface=%s,client=0" % pair for pair in enumerate(paths)])
    app = Other("dpdk-test-pipeline", "%s0,path=%s" % (VDEV, paths[0]), 3,
        ["--vdev", "%s1,path=%s" % (VDEV, paths[1]), "-m", "128", "--", "-p", "0x3", "--none"])
    try:
        app.wait_log("Initialization completed", 20)
        for port in range(2):
            wait_for(lambda p=port: back.link_up(p), 10, "a link")
        back.cmds("set fwd io", "start tx_first 2")
        for port in range(2):
            wait_for(lambda p=port: back.stats(p)["RX-packets"] > 500, 10, "packets that come back")
        back.cmds("stop", "set fwd rxonly", "start")
        for port in range(2):
            wait_for(lambda p=port: back.stats(p)["RX-packets"] == back.stats(p)["TX-packets"], 10, "all packets")
        back.stop()
    finally:
        app.kill()
