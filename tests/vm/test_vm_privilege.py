# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A device reaches the memory of its port and nothing else. Observed in three ways that do not know of
each other: the kernel's trace of IOMMU maps, QEMU's trace of IOMMU faults, and the memory itself while a
hostile DMA engine shoots from inside the port's container (guest/edu_attack.c). Each has its positive
control: the same observation where the answer must be the opposite; and with another driver the same
shots at the same foreign memory hit."""
import collections
import re

import pytest

from guest import IS_SLUICE, exchange
from machine import Machine

EDU = "0000:00:10.0"
PAGE = 4096
SHOT = 256
TRACE = "/sys/kernel/tracing"
MACHINE = Machine("privilege", {"a": "", "b": "packed=on"}, trace=["vtd_dmar_fault"],
    args=["-device", "edu,dma_mask=0x7fffffffff,addr=0x10"])
EVENT = re.compile(r" (map|unmap): IOMMU: iova=(0x\w+) - (0x\w+) ")
FAULT = re.compile(r"^vtd_dmar_fault sid (0x\w+) fault \d+ addr (0x\w+) write (\d)", re.M)


def pages(address, length):
    """Numbers of the pages that a range touches."""
    return set(range(address // PAGE, (address + length + PAGE - 1) // PAGE))


@pytest.fixture
def guest(boot):
    guest = boot(MACHINE)
    guest.vm.check("echo 16384 >%s/buffer_size_kb; echo >%s/trace\n" % (TRACE, TRACE)
        + "for e in map unmap; do echo 1 >%s/events/iommu/$e/enable; done" % TRACE)
    return guest


def mapped(guest):
    """The pages that are mapped in any IOMMU domain, with how often, since the trace began."""
    text = guest.vm.check("cat %s/trace; cat %s/per_cpu/cpu*/stats" % (TRACE, TRACE), 120)
    assert not re.search(r"^(overrun|dropped events): [1-9]", text, re.M), "the trace is not complete"
    count = collections.Counter()
    for kind, begin, end in EVENT.findall(text):
        for page in range(int(begin, 16) // PAGE, int(end, 16) // PAGE):
            count[page] += 1 if kind == "map" else -1
    return {page: times for page, times in count.items() if times}


def own_memory(testpmd, bdf):
    """(pages of the port's rings, pages of the pool's buffers)"""
    zones = testpmd.memzones()
    rings = set().union(*(pages(*zone) for name, zone in zones.items() if name.startswith(bdf)))
    pool = set().union(*(pages(*zone) for name, zone in zones.items()
        if re.fullmatch(r"MP_mb_pool_0_\d+", name)))
    return rings, pool


def test_maps_are_rings_and_pools(guest):
    testpmd = guest.testpmd(["a"])
    exchange(testpmd, guest.nics["a"], count=100)
    now = mapped(guest)
    rings, pool = own_memory(testpmd, guest.nics["a"].bdf)
    assert pool, "positive control: the pool has memory"
    if not IS_SLUICE:
        foreign = pages(*testpmd.memzones()["rte_pdump_stats"])
        assert set(now) > pool | foreign, "positive control: the trace shows what EAL maps"
        guest.close(testpmd, "a")
        return
    assert rings, "positive control: rings have memory"
    assert set(now.values()) == {1}
    assert set(now) == rings | pool
    assert testpmd.xstats()["dma_bytes"] == PAGE * len(now)
    for _ in range(30):
        testpmd.cmds("port stop 0", "port start 0")
    again = mapped(guest)
    rings, pool = own_memory(testpmd, guest.nics["a"].bdf)
    assert set(again) == rings | pool and set(again.values()) == {1}
    exchange(testpmd, guest.nics["a"], count=100, seed=2)
    guest.close(testpmd, "a")
    assert not mapped(guest), "maps are left after close"


class Attacker:
    """Shots from inside the container of the first port of a testpmd."""

    def __init__(self, guest, testpmd):
        self.guest, self.pid = guest, testpmd.pid_in_guest()
        guest.vm.check("vm_bind vfio-pci " + EDU)

    def shoot(self, *shots):
        """shots: ("read" or "write", address); those of them that faulted, as a set"""
        self.guest.complaints()
        before = len(self.guest.vm.read("guest_errors.log"))
        words = " ".join("%s 0x%x" % shot for shot in shots)
        out = self.guest.vm.check("edu_attack %d 0 %s %s" % (self.pid, EDU, words), 120)
        assert len(out.splitlines()) == len(shots), out
        faults = {(("read", "write")[int(write)], int(address, 16) // PAGE) for sid, address, write in
            FAULT.findall(self.guest.vm.read("guest_errors.log")[before:]) if int(sid, 16) == 0x80}
        return {shot for shot in shots if (shot[0], shot[1] // PAGE) in faults}

    def peek(self, address):
        return self.guest.vm.run("dd if=/proc/%d/mem bs=%d skip=%d count=1 2>/dev/null"
            % (self.pid, SHOT, address // SHOT))[1]

    def poke(self, address, byte):
        self.guest.vm.check("head -c %d /dev/zero | tr '\\0' '%s' | dd of=/proc/%d/mem bs=%d seek=%d "
            "conv=notrunc 2>/dev/null" % (SHOT, byte, self.pid, SHOT, address // SHOT))


def middle(zone):
    address, length = zone
    return (address + length // 2) // PAGE * PAGE


def load(attacker, page):
    """Fills the attacker with a pattern, by way of memory that the port has; and proves that its shots
    arrive: a write into the neighbour page changes it."""
    source, target = page, page + PAGE
    attacker.poke(source, "A")
    attacker.poke(target, "B")
    assert attacker.peek(target) == b"B" * SHOT
    assert not attacker.shoot(("read", source), ("write", target))
    assert attacker.peek(target) == b"A" * SHOT, "positive control: the attacker reaches mapped memory"


def test_foreign_memory_is_out_of_reach(guest):
    testpmd = guest.testpmd(["a", "b"])
    zones = testpmd.memzones()
    pool = next(zone for name, zone in zones.items() if re.fullmatch(r"MP_mb_pool_0_\d+", name))
    attacker = Attacker(guest, testpmd)
    inside = middle(pool)
    load(attacker, inside)
    victims = {"foreign memory": middle(zones["rte_pdump_stats"])}
    if IS_SLUICE:
        mine = pages(*zones[guest.nics["a"].bdf])
        victims.update({"before the rings": (min(mine) - 1) * PAGE, "after the rings":
            (max(mine) + 1) * PAGE, "other port's ring": zones[guest.nics["b"].bdf][0],
            "ethdev's data": zones["rte_eth_dev_data"][0] // PAGE * PAGE + PAGE,
            "the pool's own ring": middle(zones["RG_MP_mb_pool_0"])})
        victims = {name: page for name, page in victims.items()
            if page // PAGE not in mine | pages(*pool)}
        assert len(victims) > 3
    for name, page in victims.items():
        before = attacker.peek(page)
        assert len(before) == SHOT and before != b"A" * SHOT, name
        # The attacker must still hold the pattern, so the read into it comes after the write.
        faulted = attacker.shoot(("read", inside), ("write", page), ("read", page))
        after = attacker.peek(page)
        if IS_SLUICE:
            assert faulted == {("write", page), ("read", page)}, name
            assert after == before, "%s was changed" % name
        else:
            assert not faulted and after == b"A" * SHOT, "positive control: EAL's container maps all"


@pytest.mark.sluice
def test_rings_that_the_device_only_reads_are_read_only(guest):
    """Every page of the rings can be read. Those of descriptors and available rings take no write, those
    of used rings do: some of each."""
    testpmd = guest.testpmd(["a"])
    zones = testpmd.memzones()
    attacker = Attacker(guest, testpmd)
    load(attacker, middle(next(zone for name, zone in zones.items()
        if re.fullmatch(r"MP_mb_pool_0_\d+", name))))
    rings = sorted(pages(*zones[guest.nics["a"].bdf]))
    shots = [("read", page * PAGE) for page in rings]
    assert not attacker.shoot(*shots)
    before = {page: attacker.peek(page * PAGE) for page in rings}
    refused = attacker.shoot(*(("write", page * PAGE) for page in rings))
    assert refused and len(refused) < len(rings)
    for page in rings:
        changed = attacker.peek(page * PAGE) != before[page]
        if ("write", page * PAGE) in refused:
            assert not changed, "page %d of the rings" % rings.index(page)
