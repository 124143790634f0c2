# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Linux's own vDPA device, vdpa_sim_net, which sends back what it gets, and has what VDUSE has not: a control queue, a group of
virtqueues for it that may have an address space of its own, and a device that can be suspended. Debian's kernels leave it out, so
this runs by hand: see SLUICE_TEST_KERNEL in README.md."""
import os
import re

import pytest

from guest import BUILD, GuestPools, GuestTestpmd
from kernel import close, echo, up, vdev
from machine import Machine
from testpmd import wait_for

KERNEL = os.environ.get("SLUICE_TEST_KERNEL")
pytestmark = [pytest.mark.sluice,
    pytest.mark.skipif(not KERNEL, reason="Debian's kernels have no vdpa_sim_net: SLUICE_TEST_KERNEL")]
MACHINE = Machine("simulator", {}, iommu="none", kernel=KERNEL, terminals=2, add=[os.path.join(BUILD, "tests", "pools")])
TRACE = "/sys/kernel/tracing/"
PROBES = """echo 'p:sim/group vdpasim_set_group_asid group=%%si:u32 space=%%dx:u32' >%(0)skprobe_events
echo p:sim/suspend vdpasim_suspend >>%(0)skprobe_events
echo 1 >%(0)sevents/sim/enable""" % {"0": TRACE}


def asked(vm):
    """What the port has asked of the device since the last time"""
    return re.findall(r": (group|suspend): \([^)]*\)(?: group=(\d) space=(\d))?", vm.check("cat %strace; echo >%strace" % (TRACE, TRACE)))


@pytest.fixture
def guest(boot):
    guest = boot(MACHINE)
    guest.vm.check("modprobe -a tun vhost_net vhost_vdpa vdpa_sim_net; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6\n"
        "vdpa dev add name vd0 mgmtdev vdpasim_net mac 02:00:00:00:00:aa")
    return guest


def test_simulator(guest):
    vm = guest.vm
    vm.check(PROBES)
    eal = ["--no-pci"] + vdev(0, "tap0") + ["--vdev", "net_sluice1,path=/dev/vhost-vdpa-0"]
    guest.testpmds.append(GuestTestpmd(vm, [], eal=eal))
    t = guest.testpmds[-1]
    up(vm, "tap0")
    for _ in range(2):
        wait_for(lambda: t.link_up(0) and t.link_up(1), 10, "links")
        assert asked(vm)[-2:] == [("group", "0", "0"), ("group", "1", "0")]
        t.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry", "start")
        echo(vm, "tap0", 100)
        t.cmds("stop", "port stop 1")
        assert asked(vm) == [("suspend", "", "")]
        t.cmd("port start 1")
    t.cmd("mac_addr set 1 02:00:00:00:00:bb")
    assert "02:00:00:00:00:bb" in vm.check("vdpa dev config show vd0"), "the control queue did not change it"
    vm.check("vdpa dev del vd0")
    t.wait_log("failed: the device is gone", 10)
    close(t)


@pytest.mark.parametrize("kinds,devargs", [("exs", ""), ("s", "isolation=sealed"), ("exs", "isolation=copy")], ids=["scoped", "sealed", "copy"])
def test_pools_come_and_go(guest, kinds, devargs):
    """As with VDUSE, of which DPDK's server forgets nothing that the kernel unmaps: this device does."""
    vm = guest.vm
    guest.testpmds.append(GuestPools(vm, ["--no-pci"] + vdev(0, "tap0", devargs)
        + ["--vdev", ",".join(filter(None, ["net_sluice1,path=/dev/vhost-vdpa-0", devargs]))], kinds))
    up(vm, "tap0")
    guest.testpmds[-1].run(2)
    vm.check("vdpa dev del vd0")
