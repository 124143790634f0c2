# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A vDPA device as the peer: VDUSE, whose server is net_vhost of a newer DPDK.

    tap_frames -> tap0 -> vhost-net -> port 0 forwards -> port 1 -> vhost-vdpa -> VDUSE -> net_vhost sends back
"""
import os
import re
import time

import pytest

import vmfetch
import vmimage
from guest import BUILD, GuestPools, GuestTestpmd
from kernel import IOTLB_PROBES, PAGE, close, echo, iotlbs, pool_pages, up, vdev
from machine import Machine
from test_vm_kernel import KernelSleeper
from testpmd import wait_for

PATH = "/dev/vhost-vdpa-0"
MACHINE = Machine("vdpa", {}, iommu="none", kernel=vmfetch.NEW_KERNEL, terminals=2, has_vduse=True,
    add=[os.path.join(BUILD, "tests", name) for name in ("sleeper", "pools")])
FORWARD = ["set burst tx delay 1 retry 2000000", "set fwd io retry", "start"]
pytestmark = pytest.mark.sluice


class Server(GuestTestpmd):
    """testpmd with net_vhost as a VDUSE device, which sends back what it gets"""
    line = 1

    def __init__(self, vm, device):
        self.vm, self.device = vm, device
        self.name = "VDUSE server"
        at = vmimage.VDUSE_FOLDER
        drivers = ["-d%s/librte_%s.so.25" % (at, name) for name in ("bus_vdev", "mempool_ring", "net_vhost")]
        self.start([at + "/ld-linux-x86-64.so.2", "--library-path", at, at + "/dpdk-testpmd", "-l0,1",
            "--no-telemetry", "--in-memory", "--no-pci", *drivers, "--vdev",
            "net_vhost0,iface=/dev/vduse/%s,queues=1" % device, "--", "-i", "--no-mlockall", "--no-flush-rx",
            "--total-num-mbufs=4096"])
        self.wait_prompt(0, 60)
        vm.check("vdpa dev add name %s mgmtdev vduse" % device)
        self.cmds(*FORWARD)

    def end(self):
        self.vm.check("vdpa dev del " + self.device)
        self.stop()
        self.quit(30)


@pytest.fixture
def guest(boot):
    guest = boot(MACHINE)
    guest.vm.check("modprobe -a tun vhost_net vduse vhost_vdpa; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
    return guest


def serve(guest, device):
    guest.testpmds.append(Server(guest.vm, device))
    return guest.testpmds[-1]


def launch(guest):
    eal = ["--no-pci"] + vdev(0, "tap0") + ["--vdev", "net_sluice1,path=" + PATH]
    guest.testpmds.append(GuestTestpmd(guest.vm, [], eal=eal))
    t = guest.testpmds[-1]
    assert len(t.ports()) == 2, t.log()
    up(guest.vm, "tap0")
    wait_for(lambda: t.link_up(0) and t.link_up(1), 10, "links")
    t.cmds(*FORWARD)
    return t


def exchange(guest, t, count=200):
    """Every frame went by the device, there and back."""
    before = t.stats(1)
    echo(guest.vm, "tap0", count)
    after = t.stats(1)
    assert [after[key] - before[key] for key in ("RX-packets", "TX-packets")] == [count, count], (before, after)


def reached(vm):
    """The pages that the device reaches, as vhost-vdpa and VDUSE have them in the kernel; both must agree"""
    one, other = (set(lists) for lists in iotlbs(vm, "sluice-ask"))
    assert one == other
    return one


def test_one_pair(guest):
    """Frames, what the device reaches meanwhile, refusals beside it, and a device that is taken away."""
    server, vm = serve(guest, "vd0"), guest.vm
    vm.check(IOTLB_PROBES)
    t = launch(guest)
    files = t.files()
    for last in (False, True):
        exchange(guest, t)
        pool = pool_pages(t)
        got = reached(vm)
        assert pool < got and t.xstats(1)["dma_bytes"] == len(got) * PAGE
        assert len(got - pool) < 64, "rings have %d pages" % len(got - pool)
        t.cmds("stop", "port stop 1")
        assert not reached(vm)
        if not last:
            t.cmds("port start 1", "start")
            wait_for(lambda: t.link_up(1), 10, "link")
    vm.check("ln -s /dev/null /dev/vhost-vdpa-8; vduse_block block0 >/tmp/block &")
    wait_for(lambda: vm.run("grep ready /tmp/block")[0] == 0, 10, "a block device")
    vm.check("vdpa dev add name block0 mgmtdev vduse")
    for path, said in ((PATH, "another process or port has the device"),
            ("/dev/vhost-vdpa-1", "the device is of virtio's kind 2"),
            ("/dev/vhost-vdpa-9", "No such file or directory: load the module"),
            ("/dev/vhost-vdpa-8", "not a device of vhost-vdpa")):
        t.cmd("port attach net_sluice9,path=" + path)
        assert "path=%s: %s" % (path, said) in t.log() or "path=%s: Device or resource busy: %s" % (path, said) in t.log()
    assert t.files() == files
    vm.check("vdpa dev del block0; killall vduse_block")
    t.cmds("port start 1", "start")
    wait_for(lambda: t.link_up(1), 10, "link")
    # The kernel waits until the port lets the device go.
    server.end()
    t.wait_log("failed: the device is gone", 10)
    # Upon which testpmd closes it, and goes on with the other one.
    t.wait_log("packet forwarding with retry - ports=1 ", 10)
    assert len(re.findall("is gone", t.log())) == 1, t.log()
    t.stop()
    assert PATH not in "".join(t.files())
    close(t)


def test_rx_interrupts(guest):
    """A core that sleeps whenever it finds nothing; no wake is lost."""
    server = serve(guest, "vd2")
    sleeper = KernelSleeper(guest.vm, "sleeper", args=["--vdev", "net_sluice0,path=" + PATH])
    guest.testpmds.append(sleeper)
    server.cmds("stop", "start tx_first")
    wait_for(lambda: server.stats()["RX-packets"] > 1000, 20, "packets")
    seen = sleeper.quit()
    assert seen["wakes"] > 0 and seen["lost"] == 0, seen
    server.end()


def test_pools_come_and_go(guest):
    """Shared by a port of the kernel's and one of the device: nothing is left, in the process or in the kernel."""
    server, vm = serve(guest, "vd2"), guest.vm
    path = "/dev/" + vm.check("ls /sys/bus/vdpa/devices/vd2 | grep vhost-vdpa").strip()
    guest.testpmds.append(GuestPools(vm, ["--no-pci"] + vdev(0, "tap0") + ["--vdev", "net_sluice1,path=" + path], "exs", 80))
    up(vm, "tap0")
    guest.testpmds[-1].run(2)
    server.end()


def test_the_server_is_killed(guest):
    """The kernel waits for its answers, and the port does not: it is stopped in time, what the device has is parked until the
    kernel has closed it."""
    server, vm = serve(guest, "vd1"), guest.vm
    t = launch(guest)
    exchange(guest, t)
    vm.check("echo 5 >/sys/class/vduse/vd1/msg_timeout")
    server.kill()
    begin = time.monotonic()
    t.cmds("stop", "port stop 1")
    assert time.monotonic() - begin < 4
    t.wait_log("VHOST_VDPA_SET_STATUS: no answer in time", 1)
    t.cmd("port stop 0")
    wait_for(lambda: PATH not in "".join(t.files()), 15, "the kernel")
    close(t)
