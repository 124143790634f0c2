# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Behind virtio-iommu, which protects memory but remaps no interrupts: refused, by name, with and without
the kernel's permission to be unsafe. That the machine could do it, net_virtio shows as the control."""
import pytest

from guest import exchange
from machine import Machine
from vmfetch import NEW_KERNEL

MACHINE = Machine("virtio-iommu", {"a": ""}, iommu="virtio", kernel=NEW_KERNEL)
UNSAFE = "echo %s >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"


@pytest.mark.sluice
@pytest.mark.parametrize("allowed,message", [("N", "no interrupt remapping"),
    ("Y", "allow_unsafe_interrupts is set")])
def test_refused(boot, allowed, message):
    guest = boot(MACHINE)
    guest.vm.check(UNSAFE % allowed)
    testpmd = guest.testpmd(["a"])
    assert testpmd.ports() == []
    line = next(line for line in testpmd.log().splitlines() if message in line)
    assert guest.nics["a"].bdf in line
    testpmd.quit(30)


def test_control(boot):
    guest = boot(MACHINE)
    guest.vm.check(UNSAFE % "Y")
    testpmd = guest.testpmd(["a"], claim=False)
    assert testpmd.info()["Driver name"] == "net_virtio"
    exchange(testpmd, guest.nics["a"], count=100)
    guest.close(testpmd, "a")
