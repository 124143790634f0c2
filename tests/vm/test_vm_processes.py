# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Other processes of DPDK beside the one that has the port, and the name by which they do not find it."""
import os

import pytest

from guest import BUILD, exchange
from machine import Machine
from vmimage import PLUGIN as PLUGIN_NAME

pytestmark = pytest.mark.sluice
MACHINE = Machine("processes", {"ours": "packed=on", "other": ""},
    add=[os.path.join(BUILD, "tests", "cleanup_started")])
PROC_INFO = "dpdk-proc-info --no-telemetry %s -- --stats-reset"


def test_a_stock_secondary_resets_statistics(boot):
    """Its in-tree driver looks ports up by their PCI addresses, in memory that it shares with us. It has no plug-in
    and no device arguments, and its port is the other one."""
    guest = boot(MACHINE)
    ours, other = guest.nics["ours"], guest.nics["other"]
    testpmd = guest.testpmd(["ours"], ["--total-num-mbufs=4096"], eal=["-a", other.bdf], own_files=True)
    assert testpmd.info(0)["Driver name"] == "net_sluice_pci", testpmd.log()[-3000:]
    assert testpmd.info(1)["Driver name"] == "net_virtio"
    testpmd.cmd("set portlist 0")
    exchange(testpmd, ours, count=100)
    before = testpmd.stats()
    status, text = guest.vm.run(PROC_INFO % "", 60)
    text = text.decode(errors="replace")
    assert status == 0, text
    assert "port 1 cleared" in text and "port 0 cleared" not in text, text
    assert testpmd.stats() == before, "what another process resets is not ours"
    exchange(testpmd, ours, count=100)
    guest.vm.qmp("set_link", name=ours.id, up=False)
    guest.vm.qmp("set_link", name=ours.id, up=True)
    exchange(testpmd, ours, count=100)
    guest.close(testpmd, "ours")


def test_the_port_is_found_by_its_device(boot):
    """Not by the bare address as a name, which is what a foreign look-up uses: that is the device's."""
    guest = boot(MACHINE)
    bdf = guest.nics["ours"].bdf
    testpmd = guest.testpmd(["ours"])
    assert testpmd.info()["Device name"] == bdf + "_sluice"
    assert "Device name: %s_sluice" % bdf in testpmd.cmd("show device info " + bdf)
    for command in ("port detach 0", "device detach " + bdf):
        testpmd.cmds("port stop 0", "port close 0") if "device" in command else testpmd.cmd("port stop 0")
        assert "detached" in testpmd.cmd(command, 30), testpmd.log()[-2000:]
        assert testpmd.ports() == []
        assert testpmd.attach(guest.nics["ours"])
        testpmd.cmd("port start 0", 30)
        exchange(testpmd, guest.nics["ours"], count=50)
    guest.close(testpmd, "ours")


def test_cleanup_with_a_started_port(boot):
    """The device runs on behind a container that is closed; the process lives on for a second."""
    guest = boot(MACHINE)
    status, text = guest.vm.run("cleanup_started --in-memory --no-telemetry -l 0 -d %s -a %s,sluice=1" % (PLUGIN_NAME,
        guest.nics["ours"].bdf), 60)
    text = text.decode(errors="replace")
    assert status == 0 and text.rstrip().endswith("alive"), (status, text)
    assert not guest.complaints()
