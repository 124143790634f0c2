# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What a machine or a device lacks is said in one line, with the cure; the other port of the same process
works, and nothing of the refused one stays open or mapped."""
import re

import pytest

from guest import exchange
from machine import Machine
from testpmd import wait_for
from vmqemu import Nic

pytestmark = pytest.mark.sluice
BUS = ["-device", "pcie-pci-bridge,id=bus1,addr=0x1c", "-device", "edu,bus=bus1,addr=0x5"]
MACHINE = Machine("refusal", {"good": "", "bypass": "iommu_platform=off", "other": "",
    "legacy": "disable-legacy=off,disable-modern=on,iommu_platform=off",
    "transitional": "disable-legacy=off,disable-modern=off,iommu_platform=off",
    "shared": Nic(bus="bus1", slot=4, bdf="0000:01:04.0")}, args=BUS)
NO_REMAPPING = Machine("no-remapping", {"a": ""}, iommu_props={"intremap": "off"})
NARROW = Machine("narrow", {"a": ""}, iommu_props={"aw-bits": "39"})
UNPLUG = Machine("unplug", {"good": "", "gone": Nic(bus="port1", slot=0, bdf="0000:01:00.0")},
    args=["-device", "pcie-root-port,id=port1,chassis=1,addr=0x1c"])
# External memory lies where the kernel puts it, at 47 bits.
HIGH = ["--mp-alloc=xmemhuge", "--disable-device-start"]


def holds(testpmd, nb_ports):
    """Does the process hold what so many ports need, and no more? EAL has a container that it may never use."""
    files = testpmd.files()
    return (files["/dev/vfio/N"], files["anon_inode:[vfio-device]"], files["/dev/vfio/vfio"]) == \
        (nb_ports, nb_ports, nb_ports + 1)


def said(log, nic):
    """The driver's lines about a device that it refuses, but for the last one of all."""
    lines = re.findall(r"^(?:sluice|dmap): .*%s.*$" % re.escape(nic.bdf), log, re.M)
    return [line for line in lines if ": probe failed: " not in line]


def refused(guest, nic, message, good="good", **how):
    """The port is not there and one line says why; the one beside it works: another device, or where no
    device could, a port without any."""
    eal = how.pop("eal", []) + ([] if good else ["--vdev=net_null0"])
    testpmd = guest.testpmd([nic, good] if good else [nic], eal=eal, **how)
    lines = said(testpmd.log(), guest.nics[nic])
    assert len(lines) == 1 and re.search(message, lines[0]), testpmd.log()[-3000:]
    assert testpmd.ports() == [0]
    assert holds(testpmd, 1 if good else 0), testpmd.files()
    if good:
        exchange(testpmd, guest.nics[good], count=50)
        guest.close(testpmd, good)
    else:
        testpmd.cmds("start", "stop")
        testpmd.quit(30)


def group_of(nic):
    """Its file, for a shell in the guest"""
    return "/dev/vfio/$(basename $(readlink /sys/bus/pci/devices/%s/iommu_group))" % nic.bdf


def test_positive_control(boot):
    """The refused devices' neighbour, alone."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["other", "good"])
    assert testpmd.ports() == [0, 1] and holds(testpmd, 2), testpmd.files()
    guest.close(testpmd, "other", "good")


@pytest.mark.parametrize("nic", ["bypass", "transitional"])
def test_no_access_platform(boot, nic):
    """As a device, or because QEMU gives it to no device that also has the legacy interface."""
    refused(boot(MACHINE), nic,
        "does not offer VIRTIO_F_ACCESS_PLATFORM.*iommu_platform=on,disable-legacy=on")


def test_legacy_only(boot):
    refused(boot(MACHINE), "legacy", "a legacy device.*a modern one is needed")


def test_group_with_two_devices(boot):
    refused(boot(MACHINE), "shared", "shares IOMMU group [0-9]+ with 0000:01:05.0")


def test_iova_mode_pa(boot):
    refused(boot(MACHINE), "other", "IOVA mode PA.*--iova-mode=va", good=None,
        eal=["--iova-mode=pa"])


def test_busy_group(boot):
    guest = boot(MACHINE)
    holder = guest.vm.check("sleep 1000 <>%s >/dev/null 2>&1 & echo $!"
        % group_of(guest.nics["other"])).strip()
    try:
        refused(guest, "other", "another program.*has the device")
    finally:
        guest.vm.check("kill %s; usleep 100000" % holder)
    testpmd = guest.testpmd(["other"])
    assert testpmd.ports() == [0], "positive control: free again"
    guest.close(testpmd, "other")


def test_not_bound_to_vfio(boot):
    guest = boot(MACHINE)
    bdf = guest.nics["other"].bdf
    guest.vm.check("vm_bind virtio-pci " + bdf)
    try:
        refused(guest, "other", "is not vfio-pci.*bind it")
    finally:
        guest.vm.check("vm_bind vfio-pci " + bdf)


def test_without_the_claim_it_is_not_ours(boot):
    """net_virtio has what nobody asked us to take."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["good"], claim=False)
    assert testpmd.ports() == [0]
    assert "Probe PCI driver: net_virtio " in testpmd.log()
    assert testpmd.info()["Driver name"] == "net_virtio"
    guest.close(testpmd, "good")


def start_fails(testpmd, port, message):
    """The port does not start, and the log says why."""
    mark, before = len(testpmd.log()), testpmd.xstats(port)["dma_maps"]
    testpmd.cmd("port start %d" % port, 30)
    log = testpmd.log()[mark:]
    assert re.search(message, log), log
    assert testpmd.xstats(port)["dma_maps"] <= before <= 1, "the rings may be there, nothing else"


@pytest.fixture
def entry_limit(boot):
    guest = boot(MACHINE)
    path = "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
    before = guest.vm.check("cat " + path).strip()
    yield lambda limit: guest.vm.check("echo %s >%s" % (limit or before, path))
    if guest.vm.process.poll() is None:
        guest.vm.check("echo %s >%s" % (before, path))


@pytest.mark.parametrize("limit", [4, 8])
def test_dma_entry_limit(boot, entry_limit, limit):
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["good"])
    entry_limit(limit)
    assert testpmd.attach(guest.nics["other"])
    start_fails(testpmd, 1, "dma_entry_limit=%d entries.*raise it" % limit)
    testpmd.cmds("port close 1", "device detach " + guest.nics["other"].bdf)
    assert holds(testpmd, 1), testpmd.files()
    exchange(testpmd, guest.nics["good"], count=50)
    entry_limit(None)
    assert testpmd.attach(guest.nics["other"])
    testpmd.cmd("port start 1", 30)
    assert testpmd.xstats(1)["dma_maps"] > limit
    guest.close(testpmd, "good", "other")


def test_memlock_limit(boot):
    """An ordinary user, who owns the groups and may lock enough for one port: each counts its own."""
    guest = boot(MACHINE)
    guest.vm.check("grep -q ^user: /etc/passwd || echo user:x:1000:1000::/tmp:/bin/sh >>/etc/passwd\n"
        "chown 1000 %s %s; chmod 666 /dev/vfio/vfio; mkdir -p /tmp/run; chown 1000 /tmp/run\n"
        "chmod 666 /dev/hvc0" % (group_of(guest.nics["good"]), group_of(guest.nics["other"])))
    testpmd = guest.testpmd(["good", "other"], ["--disable-device-start"],
        wrap="export XDG_RUNTIME_DIR=/tmp/run; ulimit -l 16384; exec su user -c \"%s\"")
    testpmd.cmd("port start 0", 30)
    start_fails(testpmd, 1, r"may lock 16777216 bytes \(RLIMIT_MEMLOCK\).*ulimit -l")
    guest.vm.check("set_limit %d memlock 0x4000000" % testpmd.pid_in_guest())
    testpmd.cmd("port start 1", 30)
    assert testpmd.xstats(1)["dma_maps"] > 1, "positive control: enough for both"
    testpmd.cmd("set portlist 0")
    exchange(testpmd, guest.nics["good"], count=50)
    guest.close(testpmd, "good", "other")


def test_no_interrupt_remapping(boot):
    refused(boot(NO_REMAPPING), "a", "no interrupt remapping.*intremap=on", good=None)


def test_unsafe_interrupts(boot):
    guest = boot(NO_REMAPPING)
    path = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
    guest.vm.check("echo Y >" + path)
    refused(guest, "a", "allow_unsafe_interrupts is set", good=None)
    guest.vm.check("echo N >" + path)


def test_narrow_iommu(boot):
    """39 bits are enough for EAL's usual addresses, but not for those of external memory."""
    guest = boot(NARROW)
    testpmd = guest.testpmd(["a"])
    exchange(testpmd, guest.nics["a"], count=50)
    guest.close(testpmd, "a")
    testpmd = guest.testpmd(["a"], HIGH)
    start_fails(testpmd, 0, "memory at 0x7f[0-9a-f]{10} is out of the IOMMU's reach, which ends at "
        "0x7fffffffff: .*aw-bits=48")
    testpmd.cmd("port close 0")
    assert holds(testpmd, 0), testpmd.files()
    testpmd.quit(30)


def test_wide_iommu(boot):
    """The control: the same with 48 bits."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["good"], HIGH)
    testpmd.cmd("port start 0", 30)
    exchange(testpmd, guest.nics["good"], count=50)
    testpmd.kill()


def test_device_is_unplugged(boot):
    """The kernel lets a device go only when nothing of it is open or mapped any more."""
    guest = boot(UNPLUG)
    testpmd = guest.testpmd(["good", "gone"], ["--hot-plug"])
    assert holds(testpmd, 2), testpmd.files()
    guest.vm.qmp("device_del", id="nic1")

    def is_deleted():
        guest.vm.qmp("query-status")    # events come with answers
        return any(event["event"] == "DEVICE_DELETED" and event["data"].get("device") == "nic1"
            for event in guest.vm.qmp.events)
    wait_for(is_deleted, 60, "the end of the device")
    wait_for(lambda: testpmd.ports() == [0], 10, "the end of the port")
    assert holds(testpmd, 1), testpmd.files()
    exchange(testpmd, guest.nics["good"], count=50)
    testpmd.kill()
