# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What EAL does with a device whose first probe failed, or with the place of a port that ended: it keeps
lists of its own, and could put the next one into its default container, where all memory is mapped, or map
an earlier port's memory for it. Neither may happen by our doing."""
import collections
import contextlib

import pytest

from guest import exchange
from iommu import (EDU_DEVICE, QEMU_TRACE, Attacker, mapped, middle, own_memory, pool_pages, start_trace,
    zone_pages)
from machine import Machine

pytestmark = pytest.mark.sluice
MACHINE = Machine("fallback", {"a": "", "b": "", "bypass": "iommu_platform=off"}, trace=QEMU_TRACE,
    args=EDU_DEVICE)


@pytest.fixture
def guest(boot):
    guest = boot(MACHINE)
    start_trace(guest)
    return guest


@contextlib.contextmanager
def room_for(guest, testpmd, nb):
    """Within, the process can open so many more files."""
    pid = testpmd.pid_in_guest()
    used = set(map(int, guest.vm.check("ls /proc/%d/fd" % pid).split()))
    limit = [number for number in range(1024) if number not in used][nb]
    old = guest.vm.check("set_limit %d nofile %d" % (pid, limit)).strip()
    yield
    guest.vm.check("set_limit %d nofile %s" % (pid, old))


def expect_maps(guest, testpmd, *nics):
    """The running ports' rings, and the pool for each of them."""
    want = collections.Counter()
    for nic in nics:
        rings, pool = own_memory(testpmd, guest.nics[nic].bdf)
        assert rings and pool
        want.update(rings)
        want.update(pool)
    assert mapped(guest) == want


def test_a_place_is_used_again(guest):
    """Another device gets the place of one that ended while all its memory was mapped."""
    testpmd = guest.testpmd(["a"])
    for old, new in ("ab", "ba", "ab"):
        exchange(testpmd, guest.nics[old], count=50)
        expect_maps(guest, testpmd, old)
        testpmd.cmds("port stop 0", "port close 0")
        assert not mapped(guest)
        testpmd.cmd("device detach " + guest.nics[old].bdf)
        assert testpmd.attach(guest.nics[new])
        # testpmd starts ports by their numbers, and this one has that of the old one.
        testpmd.cmd("port start 0", 30)
        expect_maps(guest, testpmd, new)
    exchange(testpmd, guest.nics["b"], count=50)
    guest.close(testpmd, "b")
    assert not mapped(guest)


@pytest.mark.parametrize("nic,bad", [("b", "sluice=1,queue_size=3"), ("bypass", "sluice=1")],
    ids=["devarg", "device"])
def test_a_failed_probe_leaves_nothing(guest, nic, bad):
    testpmd = guest.testpmd(["a"])
    before = testpmd.files()
    for _ in range(3):
        assert not testpmd.attach(guest.nics[nic], bad)
        assert testpmd.files() == before
        expect_maps(guest, testpmd, "a")
    if nic == "b":
        assert testpmd.attach(guest.nics["b"])
        testpmd.cmd("port start 1", 30)
        expect_maps(guest, testpmd, "a", "b")
        testpmd.cmd("set portlist 0")
        exchange(testpmd, guest.nics["a"], count=50)
    testpmd.kill()


def test_another_driver_after_a_failed_probe(guest):
    """net_virtio takes the device into EAL's container, which has all memory. Ours has what it had."""
    testpmd = guest.testpmd(["a"])
    assert not testpmd.attach(guest.nics["b"], "sluice=1,queue_size=3")
    with room_for(guest, testpmd, 4):
        assert not testpmd.attach(guest.nics["b"])
    assert testpmd.attach(guest.nics["b"], "")
    assert testpmd.info(1)["Driver name"] == "net_virtio"
    foreign = middle(zone_pages(testpmd, "rte_pdump_stats"))
    # EAL opened its container first.
    for n, is_reached in ((1, False), (0, True)):
        attacker = Attacker(guest, testpmd, n)
        attacker.load(middle(pool_pages(testpmd)))
        assert attacker.reaches(foreign) == is_reached, "positive control: EAL's container" if n == 0 else ""
        if n == 1:
            assert attacker.entries() == testpmd.xstats()["dma_maps"]
        attacker.end()
    testpmd.cmds("port start 1", "set portlist 0")
    exchange(testpmd, guest.nics["a"], count=50)


def test_a_probe_that_fails_anywhere(guest):
    """With room for 0, 1, 2, ... more files: each step of the probe that opens one fails once, in EAL's code
    and in ours. Each time nothing may stay, and when there are enough, all is as it should be."""
    testpmd = guest.testpmd(["a"])
    before = testpmd.files()
    failures, is_there = 0, False
    while not is_there and failures < 40:
        with room_for(guest, testpmd, failures):
            is_there = testpmd.attach(guest.nics["b"])
        if not is_there:
            assert testpmd.files() == before, testpmd.log()[-2000:]
            expect_maps(guest, testpmd, "a")
            failures += 1
    assert is_there and failures >= 3, "%d failures" % failures
    testpmd.cmd("port start 1", 30)
    expect_maps(guest, testpmd, "a", "b")
    testpmd.cmd("set portlist 0")
    exchange(testpmd, guest.nics["a"], count=50)
    guest.close(testpmd, "a", "b")
    assert not mapped(guest)
