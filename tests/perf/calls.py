#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Which calls are in the bodies of the burst functions of a plug-in, by disassembly.

    tests/perf/calls.py PLUGIN

The rule, for every function sluice_rx_burst_* and sluice_tx_burst_* of every instruction set, for the functions that
these end in (a jump, no call: the compiler makes one body of several functions so), and for what is parted from them only
to keep registers free (completions, and the rest of a burst that has odd packets):

1. An indirect call is allowed only through DPDK's table of mempool operations, which DPDK's own inline
   functions use when a mempool cache runs empty or over: on every path to the call, the register
   that it goes through was computed from rte_mempool_ops_table, and from nothing else that is a
   pointer; a second register may have how far into the table, a number that was shifted.
2. An indirect jump is allowed only through a table of the compiler's: an entry of a table in
   read-only data, added to an address in the function or the table's (a switch; it cannot leave the function).
3. A call of another library (through the PLT or the GOT) is an indirect jump too. Only the cold parts
   that the compiler moved out (*.cold) may have one; and memcpy, where DPDK's own inline functions call it; and what these
   end the program with when a check of theirs fails, since clang has no such parts.

Direct calls are free: the slow ways out of the loops are functions of their own on purpose.
What is one machine's own is in calls_x86.py and calls_aarch64.py.
"""
import argparse
import bisect
import re
import subprocess
import sys

import calls_aarch64
import calls_x86

MACHINES = {62: calls_x86, 183: calls_aarch64}      # by the ELF header
BURST = re.compile(r"^sluice_[rt]x_(burst|collect|rest)_[a-z_]+?(_avx2)?(\.\w+)*$")
TABLE = "rte_mempool_ops_table"
PANIC = "<__rte_panic@plt>"
HEAD = re.compile(r"^([0-9a-f]+) <(.+)>:$")
LINE = re.compile(r"^\s+([0-9a-f]+):\t(.*)$")
PAGE = 4096


class Function:
    def __init__(self, name, insns):
        self.name = name
        self.insns = insns
        self.index = {insn.address: i for i, insn in enumerate(insns)}
        self.before = [[] for _ in insns]
        for i, insn in enumerate(insns):
            if i + 1 < len(insns) and not insn.is_end() and PANIC not in insn.text:
                self.before[i + 1].append(i)
            at = self.index.get(insn.target())
            if at is not None:
                self.before[at].append(i)

    def has(self, address):
        return address in self.index

    def ends_in(self):
        """Addresses outside that it jumps to."""
        return {insn.target() for insn in self.insns} - {None} - set(self.index)

    def always(self, at, place, is_origin, seen=()):
        """On all paths to insn `at`: was `place` computed from what is_origin() accepts? Only additions,
        shifts and moves may lie between."""
        seen, todo = set(seen), [(at, place)]
        while todo:
            one = todo.pop()
            if one in seen:
                continue        # a loop: what enters it decides
            seen.add(one)
            at, place = one
            if not self.before[at]:
                return False    # the function's begin, or the target of a jump table
            for i in self.before[at]:
                insn = self.insns[i]
                if not insn.writes(place):
                    todo.append((i, place))
                elif not is_origin(insn, i):
                    sources = insn.sources(place)
                    if len(sources) == 1:
                        todo.append((i, sources[0]))
                    elif not any(self.always(i, p, is_origin, seen) for p in sources):
                        return False
        return True


class Image:
    """A shared object."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.machine = MACHINES[int.from_bytes(file.read(20)[18:], "little")]
        self.readonly = []
        for line in run("readelf", "-SW", path).splitlines():
            found = re.match(r"\s*\[ *\d+\] (\.rodata\S*)\s+PROGBITS\s+([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)", line)
            if found:
                low = int(found.group(2), 16)
                self.readonly.append((low, low + int(found.group(3), 16)))
        self.slots = [(m[2], int(m[1], 16)) for m in re.finditer(
            r"^([0-9a-f]+)\s.*_GLOB_DAT\s+[0-9a-f]+ ([^@ ]+)", run("readelf", "-rW", path), re.M)]

    def is_readonly(self, address):
        return any(low <= address < high for low, high in self.readonly)

    def readonly_pages(self, offset):
        """Pages with read-only data at that offset."""
        return [page for low, high in self.readonly for page in range(low // PAGE * PAGE, high, PAGE)
            if low <= page + offset < high]

    def got(self, name):
        """Places in the GOT with the address of a symbol."""
        return [slot for symbol, slot in self.slots if symbol == name]

    def functions(self):
        """The burst functions, their parts and what they end in; one name occurs once per instruction set."""
        bodies = {}     # by address: the name, and the lines
        for line in run(self.machine.OBJDUMP, "-dw", "--no-show-raw-insn", self.path).splitlines():
            head, insn = HEAD.match(line), LINE.match(line)
            if head:
                lines = []
                bodies[int(head.group(1), 16)] = (head.group(2), lines)
            elif insn:
                lines.append((int(insn.group(1), 16), insn.group(2)))
        begins = sorted(bodies)
        todo = [address for address in begins if BURST.match(bodies[address][0])]
        found = {}
        while todo:
            address = todo.pop(0)
            if address not in found:
                name, lines = bodies[address]
                found[address] = Function(name, [self.machine.Insn(*line) for line in lines])
                todo += [begins[bisect.bisect(begins, to) - 1] for to in found[address].ends_in()]
        return list(found.values())


def verdict(function, at, image):
    """"" if the instruction is allowed, else what is wrong with it."""
    insn = function.insns[at]
    if insn.is_library_call():
        is_dpdks = any("<%s@plt>" % name in insn.text for name in image.machine.INLINES_CALL)
        is_free = ".cold" in function.name or is_dpdks or PANIC in insn.text
        return "" if is_free else "call of another library"
    if not insn.is_indirect():
        return ""
    if insn.is_jump():
        return "" if image.machine.is_switch(function, at, image) else "jump through a pointer"
    return "" if image.machine.is_of_table(function, at, image, TABLE) else "call through a pointer"


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def check(path):
    """(names of the functions, calls through DPDK's mempool table, what is not allowed)"""
    image = Image(path)
    names, nb_mempool, bad = [], 0, []
    for function in image.functions():
        names.append(function.name)
        for at, insn in enumerate(function.insns):
            wrong = verdict(function, at, image)
            if wrong:
                bad.append("%s at %x: %s: %s" % (function.name, insn.address, wrong, insn.text))
            elif insn.is_indirect() and insn.is_call() and not insn.is_library_call():
                nb_mempool += 1
    return names, nb_mempool, bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plugin", metavar="PLUGIN")
    names, nb_mempool, bad = check(parser.parse_args().plugin)
    print("\n".join(bad))
    print("%d functions, %d calls of a mempool's operations, %d not allowed"
        % (len([n for n in names if "." not in n]), nb_mempool, len(bad)))
    sys.exit(1 if bad or not names else 0)


if __name__ == "__main__":
    main()
