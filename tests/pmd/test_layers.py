# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""DPDK's own layers above a port: the failsafe driver, and the event device's adapters in dpdk-test-eventdev."""
import os
import shutil
import signal

import pytest

from frames import SMALL, compare, make, read_pcap
from pair import Config, Pair
from testpmd import PLUGIN, VDEV, Testpmd, lcores, wait_for

pytestmark = pytest.mark.sluice
COUNT = 300


class Failsafe(Pair):
    """The front end's port is one of net_failsafe, which has the driver's below it."""

    def start_front(self):
        self.front = Testpmd(["net_failsafe0,dev(%s0,path=%s)" % (VDEV, self.path)], front=True)
        self.front.cmd("set burst tx delay 1 retry 2000000")


def test_failsafe(folder):
    """The back end dies and comes back; the port above shows its link, and goes on."""
    pair = Failsafe(Config("failsafe"), folder)
    try:
        assert pair.front.info()["Driver name"] == "net_failsafe"
        pair.exchange("io", COUNT, SMALL)
        pair.back.kill()
        wait_for(lambda: not pair.front.link_up(), 10, "link down")
        os.unlink(pair.path)  # lib/vhost does not listen where a file is
        pair.start_back()
        pair.wait_link()
        pair.exchange("io", COUNT, SMALL)
        pair.close()
    finally:
        pair.kill()


class Pipeline(Testpmd):
    """Rx adapter, scheduler and Tx adapter on one service core, two workers; atomic flows keep their order."""

    def __init__(self, path):
        self.name = "pipeline"
        self.prefix = "sluice_event_%d" % os.getpid()
        self.launch(["dpdk-test-eventdev", "--lcores", lcores(6), "--main-lcore", "0", "-s", "0x2", "--no-pci", "--iova-mode=va",
            "--file-prefix", self.prefix, "-m", "128", "--in-memory", "--no-telemetry", "--single-file-segments",
            "-d", os.path.basename(PLUGIN), "--vdev", "event_sw0", "--vdev", "%s0,path=%s" % (VDEV, path), "--",
            "--test=pipeline_queue", "--wlcores=4,5", "--stlist=a", "--prod_type_ethdev"], False)
        self.wait_log(r"avg \d", 20)


@pytest.mark.skipif(not shutil.which("dpdk-test-eventdev"), reason="no dpdk-test-eventdev (Debian: dpdk-dev)")
def test_event_adapters(folder):
    pair = Pair(Config("event"), folder, backend_first=False)
    try:
        pair.start_back()
        pair.front = Pipeline(pair.path)
        frames = make(COUNT, SMALL)
        before = pair.rewind([frames])
        pair.back.cmd("start")
        wait_for(lambda: pair.back.stats(1)["TX-packets"] - before >= COUNT, 10, "frames through the event device")
        pair.back.stop()
        compare(read_pcap(pair.pcap("out", 0)), frames)
        os.kill(pair.front.pid, signal.SIGINT)
        assert pair.front.wait_end() == 0
    finally:
        pair.kill()
