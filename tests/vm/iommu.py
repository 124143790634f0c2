# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What a device can reach, seen from outside of the driver: the kernel's trace of IOMMU maps, its count of
a container's entries and its log, QEMU's trace of IOMMU faults, and a hostile DMA engine in the place of
a port's device."""
import collections
import re
import time

from testpmd import Deadline, wait_for

EDU = "0000:00:10.0"
EDU_DEVICE = ["-device", "edu,dma_mask=0x7fffffffff,addr=0x10"]
EDU_SID = 0x80
QEMU_TRACE = ["vtd_dmar_fault"]
PAGE = 4096
SHOT = 256
TRACE = "/sys/kernel/tracing"
EVENT = re.compile(r" (map|unmap): IOMMU: iova=(0x\w+) - (0x\w+) ")
FAULT = re.compile(r"^vtd_dmar_fault sid (0x\w+) fault \d+ addr (0x\w+) write (\d)", re.M)


def pages(address, length):
    """Numbers of the pages that a range touches."""
    return set(range(address // PAGE, (address + length + PAGE - 1) // PAGE))


def start_trace(guest):
    """Of IOMMU maps, from now on."""
    guest.vm.check("echo 16384 >%s/buffer_size_kb; echo >%s/trace\n" % (TRACE, TRACE)
        + "for e in map unmap; do echo 1 >%s/events/iommu/$e/enable; done" % TRACE)


def mapped(guest):
    """The pages that are mapped in any IOMMU domain, with how often, since the trace began."""
    text = guest.vm.check("cat %s/trace; cat %s/per_cpu/cpu*/stats" % (TRACE, TRACE), 120)
    assert not re.search(r"^(overrun|dropped events): [1-9]", text, re.M), "the trace is not complete"
    count = collections.Counter()
    for kind, begin, end in EVENT.findall(text):
        for page in range(int(begin, 16) // PAGE, int(end, 16) // PAGE):
            count[page] += 1 if kind == "map" else -1
    return collections.Counter({page: times for page, times in count.items() if times})


def zone_pages(testpmd, pattern):
    """Pages of the memory zones whose name matches from its beginning."""
    return set().union(*(pages(*zone) for name, zone in testpmd.memzones().items()
        if re.match(pattern, name)))


def pool_pages(testpmd, name="mb_pool_0"):
    """Of a mempool's objects."""
    return zone_pages(testpmd, r"MP_%s_\d+$" % name)


def own_memory(testpmd, bdf):
    """(pages of the port's rings, pages of the pool's buffers)"""
    return zone_pages(testpmd, re.escape(bdf)), pool_pages(testpmd)


def middle(numbers):
    """Address of the page in the middle of some."""
    return sorted(numbers)[len(numbers) // 2] * PAGE


class Attacker:
    """Shots from inside the n-th container of a testpmd that has an IOMMU, until it ends or is ended. What
    it is in when testpmd ends is still the container that the port's device was in."""

    def __init__(self, guest, testpmd, n=0):
        self.guest, self.pid, self.answers, self.source = guest, testpmd.pid_in_guest(), 0, None
        guest.vm.check("vm_bind vfio-pci %s\nrm -f /tmp/edu.*\nmkfifo /tmp/edu.in\n" % EDU
            + "edu_attack %d %d %s <>/tmp/edu.in >/tmp/edu.out 2>/tmp/edu.err &\n" % (self.pid, n, EDU)
            + "echo $! >/tmp/edu.pid")

    def ask(self, *lines):
        """Gives the engine lines; its answers"""
        self.answers += len(lines)
        out = self.guest.vm.check("printf '%s\\n' >/tmp/edu.in\n" % "\\n".join(lines)
            + "until [ $(wc -l </tmp/edu.out) = %d ]; do\n" % self.answers
            + "kill -0 $(cat /tmp/edu.pid) || { cat /tmp/edu.err; exit 1; }; usleep 5000; done\n"
            + "tail -n %d /tmp/edu.out" % len(lines), 120)
        return out.splitlines()

    def entries(self):
        """Of the container, by the kernel's count"""
        return int(self.ask("entries 0")[0])

    def shoot(self, *shots):
        """shots: ("read" or "write", address); those of them that faulted, as a set"""
        self.guest.complaints()
        before = len(self.guest.vm.read("guest_errors.log"))
        lines = ["%s 0x%x" % shot for shot in shots]
        assert self.ask(*lines) == lines
        faults = {(("read", "write")[int(write)], int(address, 16) // PAGE) for sid, address, write in
            FAULT.findall(self.guest.vm.read("guest_errors.log")[before:]) if int(sid, 16) == EDU_SID}
        self.guest.complaints()
        return {shot for shot in shots if (shot[0], shot[1] // PAGE) in faults}

    def peek(self, address):
        return self.guest.vm.run("dd if=/proc/%d/mem bs=%d skip=%d count=1 2>/dev/null"
            % (self.pid, SHOT, address // SHOT))[1]

    def poke(self, address, byte):
        self.guest.vm.check("head -c %d /dev/zero | tr '\\0' '%s' | dd of=/proc/%d/mem bs=%d seek=%d "
            "conv=notrunc 2>/dev/null" % (SHOT, byte, self.pid, SHOT, address // SHOT))

    def load(self, page, virtual=None):
        """Fills the engine with a pattern, by way of memory that the port has; and proves that its shots
        arrive: a write into the neighbour page changes it. virtual: where the CPU has the page, if elsewhere."""
        self.source, target, seen = page, page + PAGE, (virtual or page) + PAGE
        self.poke(virtual or page, "A")
        self.poke(seen, "B")
        assert self.peek(seen) == b"B" * SHOT
        assert not self.shoot(("read", self.source), ("write", target))
        assert self.peek(seen) == b"A" * SHOT, "positive control: the attacker reaches mapped memory"

    def reaches(self, address):
        """Can it read and write there? Both or neither; and the memory says the same as the faults. It
        must hold a pattern that is not there."""
        before = self.peek(address)
        assert len(before) == SHOT and before != b"A" * SHOT
        # A read that fails may spoil the pattern: it is fetched anew, as long as that is possible.
        faulted = self.shoot(("read", self.source), ("write", address), ("read", address))
        faulted.discard(("read", self.source))
        after = self.peek(address)
        if not faulted:
            assert after == b"A" * SHOT, "no fault, but nothing was written at 0x%x" % address
            return True
        assert faulted == {("write", address), ("read", address)}
        assert after == before, "a fault, but 0x%x was changed" % address
        return False

    def dmesg_says(self, kind, address, seconds=5):
        """Whether the guest's kernel logged a fault of this engine there since the last dmesg -c."""
        line = r"DMAR: \[DMA %s.*\[%s\] fault addr 0x%x " % (kind, re.escape(EDU[5:]), address)

        def is_there():
            return re.search(line, self.guest.vm.check("dmesg"))
        try:
            return bool(wait_for(is_there, seconds, "line of the guest's kernel"))
        except Deadline:
            return False

    def end(self):
        self.guest.vm.run("kill $(cat /tmp/edu.pid); rm -f /tmp/edu.pid")
        time.sleep(0.1)
