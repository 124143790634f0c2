# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A machine of two NUMA nodes with a core each, and the device on node 1, behind a bridge of that node. The
rings lie there, and what lies or runs on node 0 gets one line."""
import re
import time

import pytest

from guest import exchange
from machine import Machine
from vmqemu import Nic

pytestmark = pytest.mark.sluice

BDF = "0000:81:00.0"
MACHINE = Machine("numa", {"a": Nic(slot=0, bus="rp1", bdf=BDF)}, args=[
    "-object", "memory-backend-ram,id=m0,size=1024M", "-numa", "node,nodeid=0,cpus=0,memdev=m0",
    "-object", "memory-backend-ram,id=m1,size=1024M", "-numa", "node,nodeid=1,cpus=1,memdev=m1",
    "-device", "pxb-pcie,id=pxb1,bus=pcie.0,bus_nr=0x80,numa_node=1",
    "-device", "pcie-root-port,id=rp1,bus=pxb1,chassis=1"])
MEMORY = "--socket-mem=64,64"
# The worker, which forwards, is the core that is not the main one.
ON_NODE_0, ON_NODE_1 = "--main-lcore=1", "--main-lcore=0"
# testpmd then makes no pools on other nodes.
ONE_POOL = ["--no-numa", "--socket-num=0"]


@pytest.fixture
def guest(boot):
    guest = boot(MACHINE)
    node = guest.vm.check("cat /sys/bus/pci/devices/%s/numa_node" % BDF).strip()
    assert node == "1", "the device is on node " + node
    return guest


def nodes_of(guest, testpmd, zone):
    """The NUMA nodes of the mapping that holds a memzone, as the kernel says."""
    address = testpmd.memzones()[zone][0]
    text = guest.vm.check("cat /proc/%d/numa_maps" % testpmd.pid_in_guest())
    lines = [(int(line.split()[0], 16), line) for line in text.splitlines()]
    line = max((start, line) for start, line in lines if start <= address)[1]
    return set(map(int, re.findall(r" N(\d+)=", line)))


def warnings(testpmd):
    """What the driver says about nodes."""
    return re.findall(r"(?:sluice|dmap): (.* NUMA node .*)$", testpmd.log(), re.M)


def close(guest, testpmd, pool):
    testpmd.cmds("port stop all", "port close all")
    available, size = testpmd.pool(pool)
    assert available == size
    testpmd.quit(30)
    assert not guest.complaints()


def wait_looks():
    """As long as the control thread takes to look, ask the cores, and look again."""
    time.sleep(4)


def test_all_on_the_device_s_node(guest):
    testpmd = guest.testpmd(["a"], eal=[MEMORY, ON_NODE_1])
    exchange(testpmd, guest.nics["a"], count=200)
    testpmd.cmd("start")
    wait_looks()
    testpmd.stop()
    assert nodes_of(guest, testpmd, BDF) == {1}
    assert nodes_of(guest, testpmd, "MP_mb_pool_0_0") == {0}, "positive control: node 0 is seen, too"
    assert not warnings(testpmd)
    close(guest, testpmd, "mb_pool_1")


def test_pool_elsewhere(guest):
    testpmd = guest.testpmd(["a"], args=["--port-numa-config=(0,0)"], eal=[MEMORY, ON_NODE_1])
    assert nodes_of(guest, testpmd, BDF) == {1}
    exchange(testpmd, guest.nics["a"], count=200)
    wait_looks()
    assert len(warnings(testpmd)) == 1
    assert warnings(testpmd)[0].startswith("port 0 receive queue 0: mempool mb_pool_0 lies on NUMA node 0, "
        "the device on node 1: ")
    close(guest, testpmd, "mb_pool_0")


def test_core_elsewhere(guest):
    """What the core sends by itself comes from a pool of its own node, which is the wrong one, too."""
    testpmd = guest.testpmd(["a"], eal=[MEMORY, ON_NODE_0])
    testpmd.cmd("start")
    testpmd.wait_log("receive queue 0 is polled by lcore 0")
    testpmd.stop()
    for _ in range(2):
        exchange(testpmd, guest.nics["a"], count=200)
        testpmd.cmds("set fwd txonly", "start")
        wait_looks()
        testpmd.stop()
    said = sorted(line.split(":")[1].split(",")[0].strip() for line in warnings(testpmd))
    assert said == ["mempool mb_pool_0 lies on NUMA node 0",
        "receive queue 0 is polled by lcore 0 on NUMA node 0",
        "transmit queue 0 is polled by lcore 0 on NUMA node 0"]
    close(guest, testpmd, "mb_pool_1")
