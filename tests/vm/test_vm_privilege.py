# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A device reaches the memory of its port and nothing else. Observed in five ways that do not know of
each other: the kernel's trace of IOMMU maps, its count of the container's entries, its log of faults,
QEMU's trace of faults, and the memory itself while a hostile DMA engine shoots from inside the port's
container (guest/edu_attack.c). Each has its positive control: the same observation where the answer must
be the opposite; and with another driver the same shots at the same foreign memory hit."""
import os
import re

import pytest

from guest import BUILD, DRIVER, IS_SLUICE, GuestPools, exchange
from iommu import (EDU_DEVICE, PAGE, QEMU_TRACE, SHOT, Attacker, mapped, middle, own_memory, pool_pages,
    start_trace, zone_pages)
from machine import Machine
from test_environment import build_shim
from testpmd import MBUFS

# Two nodes, so that testpmd has two pools and each port one of its own.
NODES = [word for n in (0, 1) for word in ("-object", "memory-backend-ram,id=m%d,size=1024M" % n,
    "-numa", "node,memdev=m%d,cpus=%d" % (n, n))]
MACHINE = Machine("privilege", {"a": "", "b": "packed=on"}, trace=QEMU_TRACE, args=NODES + EDU_DEVICE,
    add=[os.path.join(BUILD, "tests", "pools")])
HUGE = 2 << 20
OWN_POOLS = ["--port-numa-config=(0,0),(1,1)"]


def some(numbers):
    """Addresses of a few pages, the first and the last among them: a shot takes 0.1 s."""
    numbers = sorted(numbers)
    return [page * PAGE for page in sorted({*numbers[::len(numbers) // 4], numbers[-1]})]


@pytest.fixture
def guest(boot):
    guest = boot(MACHINE)
    start_trace(guest)
    return guest


@pytest.fixture
def attack(guest):
    """attack(testpmd, n): an attacker that ends with the test"""
    attackers = []

    def start(*args):
        attackers.append(Attacker(guest, *args))
        return attackers[-1]
    yield start
    for attacker in attackers:
        if guest.vm.process.poll() is None:
            attacker.end()


def test_maps_are_rings_and_pools(guest):
    testpmd = guest.testpmd(["a"])
    exchange(testpmd, guest.nics["a"], count=100)
    now = mapped(guest)
    rings, pool = own_memory(testpmd, guest.nics["a"].bdf)
    assert pool, "positive control: the pool has memory"
    if not IS_SLUICE:
        foreign = zone_pages(testpmd, "rte_pdump_stats")
        assert set(now) > pool | foreign, "positive control: the trace shows what EAL maps"
        guest.close(testpmd, "a")
        return
    assert rings, "positive control: rings have memory"
    assert set(now.values()) == {1}
    assert set(now) == rings | pool
    assert testpmd.xstats()["dma_bytes"] == PAGE * len(now)
    for _ in range(100):
        testpmd.cmds("port stop 0", "port start 0")
    again = mapped(guest)
    rings, pool = own_memory(testpmd, guest.nics["a"].bdf)
    assert set(again) == rings | pool and set(again.values()) == {1}
    exchange(testpmd, guest.nics["a"], count=100, seed=2)
    testpmd.cmd("port stop 0")
    assert not mapped(guest), "maps are left after stop"
    testpmd.cmd("port start 0")
    guest.close(testpmd, "a")
    assert not mapped(guest), "maps are left after close"


@pytest.mark.sluice
def test_sealed_maps_are_rings_and_buffers(guest, attack, tmp_path):
    """Page by page, at addresses of the port's own: the buffers' first, the rings' after them. No mbuf lies in either. A DMA engine
    in the port's container reaches buffers, and neither what lies around them nor mbufs. The checker has nothing to say of all
    that testpmd, the driver and QEMU's device do."""
    with open(build_shim(str(tmp_path), "sealed_pools"), "rb") as shim:
        guest.vm.put("/tmp/sealed_pools.so", shim.read())
    testpmd = guest.testpmd(["a"], devargs="isolation=sealed,dma_debug=1", wrap="export LD_PRELOAD=/tmp/sealed_pools.so; exec %s")
    exchange(testpmd, guest.nics["a"], count=100)
    rings = zone_pages(testpmd, re.escape(guest.nics["a"].bdf))
    # An odd number of cache lines for each buffer, to the end of a huge page.
    buffers = -(-MBUFS * 2240 // HUGE) * HUGE // PAGE
    now = mapped(guest)
    assert set(now.values()) == {1} and len(now) == len(rings) + buffers
    first = (1 << 28) // PAGE
    assert min(now) == first and set(range(first, first + buffers)) <= set(now)
    assert not set(now) & (rings | pool_pages(testpmd)), "addresses of the process"
    for _ in range(10):
        testpmd.cmds("port stop 0", "port start 0")
    assert mapped(guest) == now
    exchange(testpmd, guest.nics["a"], count=100, seed=2)
    assert testpmd.burst_mode("txq").endswith(", checked") and testpmd.xstats()["dma_debug_reports"] == 0
    attacker = attack(testpmd)
    # The last buffers of the pool: those that were received into are others.
    file = guest.vm.check("grep 'memfd:mb_pool_0 ' /proc/%d/maps" % testpmd.pid_in_guest())
    attacker.load((first + buffers - 2) * PAGE, int(file.split("-")[0], 16) + (buffers - 2) * PAGE)
    around = {first - 1, first + buffers, max(now) + 1} - set(now)
    assert len(around) > 1
    shots = [(how, page * PAGE) for page in sorted(around) for how in ("write", "read")]
    assert attacker.shoot(*shots) == set(shots)
    assert not attacker.reaches(middle(pool_pages(testpmd))), "mbufs"
    assert not attacker.reaches(middle(rings)), "rings, at the address that they have in the process"
    attacker.end()
    guest.close(testpmd, "a")
    assert not mapped(guest), "maps are left after close"


@pytest.mark.sluice
@pytest.mark.parametrize("nic,level", [("a", "copy"), ("b", "copy"), ("b", "sealed,bounce=1")], ids=["a", "b", "bounce"])
def test_copies_need_no_pool(guest, attack, nic, level):
    """isolation=copy, and a pool that a sealed port copies from and into: the rings' zone, bounce buffers included, is all that is mapped while packets go both ways, at addresses of
    the port's own. What the device only reads, which are buffers of packets that are sent, too, takes no write."""
    testpmd = guest.testpmd([nic], devargs="isolation=" + level)
    exchange(testpmd, guest.nics[nic], count=100)
    now = mapped(guest)
    rings, pool = own_memory(testpmd, guest.nics[nic].bdf)
    assert pool and rings, "positive control: both have memory"
    assert len(now) == len(rings) and set(now.values()) == {1} and not set(now) & (rings | pool), "addresses of the process"
    assert testpmd.xstats()["dma_bytes"] == PAGE * len(now) and min(now) == (1 << 28) // PAGE
    # The rings' zone is the longest run of pages.
    zone = max((list(range(page, page + run)) for page in now for run in [next(n for n in range(len(now) + 1) if page + n not in now)]),
        key=len)
    attacker = attack(testpmd)
    virtual = sorted(zone_pages(testpmd, re.escape(guest.nics[nic].bdf) + "(?! ctrl)"))
    attacker.load(zone[SLICES[0] + 10] * PAGE, virtual[SLICES[0] + 10] * PAGE)
    assert not attacker.reaches(middle(pool)), "the pool"
    assert len(zone) == sum(SLICES[:2]) + sum(BOUNCE)
    # Receive ring and buffers, transmit ring and buffers.
    received, sent = zone[SLICES[0]] * PAGE, zone[-1] * PAGE
    assert attacker.shoot(("write", sent), ("write", received)) == {("write", sent)}
    assert not attacker.shoot(("read", sent), ("read", received))
    testpmd.cmd("port stop 0")
    assert not mapped(guest), "maps are left after stop"


@pytest.mark.sluice
def test_the_kernel_counts_what_the_port_counts(guest, attack):
    """And when the port has none, the container has none: seen from a copy of it that outlives the port's."""
    testpmd = guest.testpmd(["a"])
    attacker = attack(testpmd)
    assert attacker.entries() == testpmd.xstats()["dma_maps"] > 1
    testpmd.cmd("port stop 0")
    assert attacker.entries() == testpmd.xstats()["dma_maps"] == 0
    testpmd.cmd("port start 0")
    assert attacker.entries() == testpmd.xstats()["dma_maps"] > 1, "positive control: the copy is alive"
    testpmd.cmds("port stop 0", "port close 0")
    assert attacker.entries() == 0


def test_foreign_memory_is_out_of_reach(guest, attack):
    testpmd = guest.testpmd(["a"])
    zones = testpmd.memzones()
    attacker = attack(testpmd)
    attacker.load(middle(pool_pages(testpmd)))
    victims = {"foreign memory": middle(zone_pages(testpmd, "rte_pdump_stats"))}
    if IS_SLUICE:
        mine = zone_pages(testpmd, guest.nics["a"].bdf)
        allowed = mine | pool_pages(testpmd)
        victims.update({"before the rings": (min(mine) - 1) * PAGE, "after the rings":
            (max(mine) + 1) * PAGE, "ethdev's data": zones["rte_eth_dev_data"][0] // PAGE * PAGE + PAGE,
            "the pool's own ring": middle(zone_pages(testpmd, "RG_MP_mb_pool_0$"))})
        victims = {name: page for name, page in victims.items() if page // PAGE not in allowed}
        assert len(victims) > 3
    for name, page in victims.items():
        assert attacker.reaches(page) == (not IS_SLUICE), name


def test_ports_do_not_reach_each_other(guest, attack):
    """Rings and pool of one port from the container of the other, in both directions."""
    for n in (0, 1) if IS_SLUICE else (0,):
        testpmd = guest.testpmd(["a", "b"], OWN_POOLS)
        pools = [pool_pages(testpmd, "mb_pool_%d" % node) for node in (0, 1)]
        assert all(pools), "positive control: each port has a pool"
        attacker = attack(testpmd, n)
        attacker.load(middle(pools[n]))
        if IS_SLUICE:
            other = zone_pages(testpmd, guest.nics["ab"[1 - n]].bdf)
            assert other and not other & zone_pages(testpmd, guest.nics["ab"[n]].bdf)
            for page in some(other):
                assert not attacker.reaches(page)
        assert attacker.reaches(middle(pools[1 - n])) == (not IS_SLUICE)
        attacker.end()
        testpmd.kill()


@pytest.mark.sluice
def test_pool_after_stop_and_after_close(guest, attack):
    """The device of a port that is stopped or closed reaches nothing, though the pool lives on."""
    testpmd = guest.testpmd(["a"])
    pool = middle(pool_pages(testpmd))
    rings = some(zone_pages(testpmd, guest.nics["a"].bdf))
    attacker = attack(testpmd)
    attacker.load(pool)
    for act, is_open in (("port stop 0", False), ("port start 0", True), ("port stop 0", False),
            ("port close 0", False)):
        testpmd.cmd(act)
        attacker.poke(pool, "A")
        attacker.poke(pool + PAGE, "B")
        assert attacker.reaches(pool + PAGE) == is_open, act
        faulted = attacker.shoot(*(("read", page) for page in rings))
        assert len(faulted) == (0 if is_open else len(rings)), act


@pytest.mark.skipif(DRIVER != "net_sluice_pci", reason="one driver is enough to see the kernel's log")
def test_the_kernel_logs_the_fault(guest, attack):
    """One shot of each kind only: the kernel limits the rate of its lines."""
    testpmd = guest.testpmd(["a"])
    attacker = attack(testpmd)
    foreign = middle(zone_pages(testpmd, "rte_pdump_stats"))
    attacker.load(middle(pool_pages(testpmd)))
    guest.vm.check("sleep 6; dmesg -c >/dev/null")
    assert attacker.shoot(("write", foreign)) == {("write", foreign)}
    assert attacker.dmesg_says("Write", foreign)
    assert not attacker.dmesg_says("Write", attacker.source, 0.5), "control: no line for a shot that hits"
    assert attacker.shoot(("read", foreign)) == {("read", foreign)}
    assert attacker.dmesg_says("Read", foreign)


# Pages of the slices of a receive and a transmit queue of 256 slots, and those that the device may only read. Split:
# descriptors fill the first, the available ring starts the second, a transmit queue's extras follow; the used ring
# comes last. Packed: descriptors and the device's event structure come first, then the driver's, and the extras.
# And of the control queue, which has a zone of its own: a small ring, four pages of commands, and one of answers.
SLICES = (3, 8, 7)
# With isolation=copy: pages of bounce buffers behind the rings, 256 of 2112 and of 1600 bytes and a cache line.
BOUNCE = ((64 + 256 * 2112 + PAGE - 1) // PAGE, (64 + 256 * 1600 + PAGE - 1) // PAGE)
READ_ONLY = {"a": (range(0, 2), range(0, 7), (0, 2, 3, 4, 5)), "b": (range(2, 3), range(2, 8), range(1, 6))}


@pytest.mark.sluice
@pytest.mark.parametrize("nic", ["a", "b"])
def test_rings_that_the_device_only_reads_are_read_only(guest, attack, nic):
    """Every page of the rings can be read. Those of which the device needs no more take no write, the
    others do. (Writes first: QEMU has no fault to trace when it knows the page.)"""
    testpmd = guest.testpmd([nic])
    attacker = attack(testpmd)
    attacker.load(middle(pool_pages(testpmd)))
    bdf = re.escape(guest.nics[nic].bdf)
    zones = [sorted(zone_pages(testpmd, bdf + which)) for which in ("(?! ctrl)", " ctrl")]
    rings = [page * PAGE for zone in zones for page in zone]
    assert [len(zone) for zone in zones] == [sum(SLICES[:2]), SLICES[2]]
    before = {page: attacker.peek(page) for page in rings}
    refused = {page for _, page in attacker.shoot(*(("write", page) for page in rings))}
    assert {rings.index(page) for page in refused} == {sum(SLICES[:queue]) + n for queue in range(len(SLICES))
        for n in READ_ONLY[nic][queue]}
    for page in rings:
        now = attacker.peek(page)
        assert now == before[page] if page in refused else now == b"A" * SHOT, \
            "page %d of the rings" % rings.index(page)
    assert not attacker.shoot(*(("read", page) for page in rings))


@pytest.mark.sluice
def test_rings_are_writable_when_asked_for(guest, attack):
    testpmd = guest.testpmd(["a"], devargs="ro_rings=0")
    attacker = attack(testpmd)
    rings = zone_pages(testpmd, guest.nics["a"].bdf)
    assert not attacker.shoot(*(("write", page * PAGE) for page in sorted(rings)))


@pytest.mark.sluice
@pytest.mark.parametrize("kinds,devargs", [("exsm", ""), ("s", ",isolation=sealed")], ids=["scoped", "sealed"])
def test_pools_come_and_go(guest, kinds, devargs):
    """Of all kinds, memory that the application registers and maps by itself among them, for two ports: the device meets no page
    that is not there, and nothing is left locked or mapped."""
    eal = [word for nic in ("a", "b") for word in ("-a", guest.nics[nic].bdf + ",sluice=1" + devargs)]
    guest.testpmds.append(GuestPools(guest.vm, eal, kinds))
    guest.testpmds[-1].run(2)
    assert not guest.complaints()
    assert not mapped(guest)
