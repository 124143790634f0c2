# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What a machine or a device lacks is said, with the cure; the other port of the same process works, and
nothing of the refused one stays open or mapped."""
import re

import pytest

from guest import exchange
from machine import Machine
from vmqemu import Nic

pytestmark = pytest.mark.sluice
BUS = ["-device", "pcie-pci-bridge,id=bus1,addr=0x1c", "-device", "edu,bus=bus1,addr=0x5"]
MACHINE = Machine("refusal", {"good": "", "bypass": "iommu_platform=off", "other": "",
    "legacy": "disable-legacy=off,disable-modern=on,iommu_platform=off",
    "shared": Nic(bus="bus1", slot=4, bdf="0000:01:04.0")}, args=BUS)
NO_REMAPPING = Machine("no-remapping", {"a": ""}, iommu_props={"intremap": "off"})
NARROW = Machine("narrow", {"a": ""}, iommu_props={"aw-bits": "39"})


def vfio_files(guest, testpmd):
    """Groups and devices that the process holds open."""
    return re.findall(r"-> (/dev/vfio/\d+|anon_inode:\[vfio-device\])",
        guest.vm.check("ls -l /proc/%d/fd" % testpmd.pid_in_guest()))


def refused(guest, nic, message, good="good", **how):
    """The port is not there and the log says why; the good one beside it forwards."""
    testpmd = guest.testpmd([nic, good] if good else [nic], **how)
    log = testpmd.log()
    assert re.search(message, log), log[-3000:]
    assert guest.nics[nic].bdf in re.search(r"[^\n]*%s" % message, log).group(0)
    assert testpmd.ports() == ([0] if good else [])
    assert len(vfio_files(guest, testpmd)) == (2 if good else 0)
    if good:
        exchange(testpmd, guest.nics[good], count=50)
        guest.close(testpmd, good)
    else:
        testpmd.quit(30)


def test_positive_control(boot):
    """The refused devices' neighbour, alone."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["other", "good"])
    assert testpmd.ports() == [0, 1] and len(vfio_files(guest, testpmd)) == 4
    guest.close(testpmd, "other", "good")


def test_no_access_platform(boot):
    refused(boot(MACHINE), "bypass", "does not offer VIRTIO_F_ACCESS_PLATFORM.*iommu_platform=on")


def test_legacy_only(boot):
    refused(boot(MACHINE), "legacy", "a legacy device.*a modern one is needed")


def test_group_with_two_devices(boot):
    refused(boot(MACHINE), "shared", "shares IOMMU group [0-9]+ with 0000:01:05.0")


def test_iova_mode_pa(boot):
    refused(boot(MACHINE), "other", "IOVA mode PA.*--iova-mode=va", good=None,
        eal=["--iova-mode=pa"])


def test_busy_group(boot):
    guest = boot(MACHINE)
    group = "/dev/vfio/$(basename $(readlink /sys/bus/pci/devices/%s/iommu_group))" % \
        guest.nics["other"].bdf
    holder = guest.vm.check("sleep 1000 <>%s >/dev/null 2>&1 & echo $!" % group).strip()
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


def start_fails(guest, nic, message, **how):
    """The port is there, but does not start, and the log says why. Without the cause it does."""
    testpmd = guest.testpmd([nic], **how)
    log = testpmd.log()
    assert re.search(message, log), log[-3000:]
    testpmd.kill()


@pytest.fixture
def entry_limit(boot):
    guest = boot(MACHINE)
    path = "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
    before = guest.vm.check("cat " + path).strip()
    guest.vm.check("echo 4 >" + path)
    yield guest
    if guest.vm.process.poll() is None:
        guest.vm.check("echo %s >%s" % (before, path))


def test_dma_entry_limit(entry_limit):
    start_fails(entry_limit, "good", "dma_entry_limit=4")


def test_memlock_limit(boot):
    """An ordinary user, who owns the group and may lock little; and the same one who may lock enough."""
    guest = boot(MACHINE)
    group = "/dev/vfio/$(basename $(readlink /sys/bus/pci/devices/%s/iommu_group))" % \
        guest.nics["good"].bdf
    guest.vm.check("grep -q ^user: /etc/passwd || echo user:x:1000:1000::/tmp:/bin/sh >>/etc/passwd\n"
        "chown 1000 %s; chmod 666 /dev/vfio/vfio; mkdir -p /tmp/run; chown 1000 /tmp/run\n"
        "chmod 666 /dev/hvc0" % group)
    user = "export XDG_RUNTIME_DIR=/tmp/run; ulimit -l %d; exec su user -c \"%%s\""
    start_fails(guest, "good", "RLIMIT_MEMLOCK", wrap=user % 1024)
    testpmd = guest.testpmd(["good"], wrap=user % 100000)
    exchange(testpmd, guest.nics["good"], count=50)
    guest.close(testpmd, "good")


def test_no_interrupt_remapping(boot):
    refused(boot(NO_REMAPPING), "a", "no interrupt remapping.*intremap=on", good=None)


def test_unsafe_interrupts(boot):
    guest = boot(NO_REMAPPING)
    path = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
    guest.vm.check("echo Y >" + path)
    refused(guest, "a", "allow_unsafe_interrupts is set", good=None)
    guest.vm.check("echo N >" + path)


def test_narrow_iommu(boot):
    """39 bits are enough for EAL's usual addresses."""
    guest = boot(NARROW)
    testpmd = guest.testpmd(["a"])
    exchange(testpmd, guest.nics["a"], count=50)
    guest.close(testpmd, "a")
