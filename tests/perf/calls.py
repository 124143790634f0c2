#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Which calls are in the bodies of the burst functions of a plug-in, by disassembly.

    tests/perf/calls.py PLUGIN

The rule, for every function sluice_rx_burst_* and sluice_tx_burst_* of every instruction set:

1. An indirect call is allowed only through DPDK's table of mempool operations, which DPDK's own inline
   functions use when a mempool cache runs empty or over: on every path to the call, the register
   that it goes through was computed from rte_mempool_ops_table, and from nothing else that is a
   pointer.
2. An indirect jump is allowed only through a table of the compiler's: an entry of a table in
   read-only data, added to that table's address (a switch; it cannot leave the function).
3. A call of another library (through the PLT or the GOT) is an indirect jump too. Only the cold parts
   that the compiler moved out (*.cold) may have one.

Direct calls are free: the slow ways out of the loops are functions of their own on purpose.
"""
import re
import subprocess
import sys

BURST = re.compile(r"^sluice_[rt]x_burst_[a-z_]+?(\.\w+)*$")
TABLE = "rte_mempool_ops_table"
HEAD = re.compile(r"^([0-9a-f]+) <(.+)>:$")
LINE = re.compile(r"^\s+([0-9a-f]+):\t(.*)$")
PREFIXES = ("notrack ", "bnd ", "data16 ", "rex.W ", "cs ", "ds ")
READS_ONLY = ("cmp", "test", "push", "nop", "prefetch", "bt ", "vptest", "vtest", "ucomis", "ret")
CLOBBERED = {"%rax", "%rcx", "%rdx", "%rsi", "%rdi", "%r8", "%r9", "%r10", "%r11"}
ENDS = ("jmp", "ret", "ud2", "hlt")


def whole(register):
    """The 64 bit register of which this is a part."""
    name = register.lstrip("%")
    found = re.fullmatch(r"[re]?([abcd])[xlh]", name)
    if found:
        return "%%r%sx" % found.group(1)
    found = re.fullmatch(r"[re]?(si|di|bp|sp)l?", name)
    if found:
        return "%r" + found.group(1)
    found = re.fullmatch(r"(r\d+)[dwb]?", name)
    return "%" + found.group(1) if found else register


class Insn:
    def __init__(self, address, text):
        self.address = address
        text, _, comment = text.partition("#")
        self.text = text.strip()
        self.symbol = (re.search(r"<([^@+>]+)", comment) or re.search("(?!)", "")) if comment else None
        self.symbol = self.symbol.group(1) if self.symbol else ""
        found = re.search(r"^\s*([0-9a-f]+) <", comment)
        self.refers = int(found.group(1), 16) if found else None
        bare = self.text
        while bare.startswith(PREFIXES):
            bare = bare.split(" ", 1)[1].lstrip()
        self.op, _, rest = bare.partition(" ")
        # Commas inside of parentheses belong to one operand.
        self.args = [a.strip() for a in re.split(r",(?![^(]*\))", rest) if a.strip()]
        self.args = [whole(a) if a.startswith("%") else a for a in self.args]

    def is_jump(self):
        return self.op.startswith("j")

    def is_call(self):
        return self.op in ("call", "callq")

    def is_indirect(self):
        return (self.is_call() or self.is_jump()) and bool(self.args) and self.args[0].startswith("*")

    def target(self):
        if not self.is_jump() or self.is_indirect() or not self.args:
            return None
        return int(self.args[0].split()[0], 16)

    def writes(self, place):
        """Does it change a register, or a place on the stack that is written the same way?"""
        if self.is_call():
            return place in CLOBBERED
        if self.is_jump() or not self.args or self.text.startswith(READS_ONLY):
            return False
        if self.op in ("xchg", "cmpxchg", "xadd") and place in self.args:
            return True
        if self.op in ("mul", "div", "idiv", "cqto", "cltq", "cltd") and place in ("%rax", "%rdx"):
            return True
        return self.args[-1] == place


class Function:
    def __init__(self, name):
        self.name = name
        self.insns = []

    def link(self):
        index = {insn.address: i for i, insn in enumerate(self.insns)}
        self.before = [[] for _ in self.insns]
        for i, insn in enumerate(self.insns):
            if i + 1 < len(self.insns) and not insn.op.startswith(ENDS):
                self.before[i + 1].append(i)
            at = index.get(insn.target())
            if at is not None:
                self.before[at].append(i)

    def always(self, at, place, is_origin, seen=None):
        """On all paths to insn `at`: was `place` computed from what is_origin() accepts? Only additions,
        shifts and moves may lie between."""
        seen = set() if seen is None else seen
        if (at, place) in seen:
            return True         # a loop: what enters it decides
        seen.add((at, place))
        if not self.before[at]:
            return False        # the function's begin, or the target of a jump table
        return all(self.one_before(i, place, is_origin, seen) for i in self.before[at])

    def one_before(self, i, place, is_origin, seen):
        insn = self.insns[i]
        if not insn.writes(place):
            return self.always(i, place, is_origin, seen)
        if is_origin(insn, i):
            return True
        op, args = insn.op, insn.args
        if op in ("shl", "sub", "add") and args[0].startswith("$"):
            return self.always(i, place, is_origin, seen)
        if op == "add" and args[0].startswith("%"):
            return self.always(i, args[0], is_origin, set(seen)) or \
                self.always(i, place, is_origin, set(seen))
        if op == "mov" and (args[0].startswith("%") or re.search(r"\(%r[sb]p\)$", args[0])):
            return self.always(i, args[0], is_origin, seen)
        if op == "lea":
            parts = [whole(r) for r in re.findall(r"%\w+", args[0])]
            return any(self.always(i, r, is_origin, set(seen)) for r in parts)
        return False


def from_mempool_table(insn, _at):
    """mov or add of the table's address, which the linker put into the GOT."""
    return insn.symbol == TABLE and "(%rip)" in insn.text and insn.op in ("mov", "add", "lea")


def is_switch(function, at, readonly):
    """movslq (T,I,4),R; add T,R; jmp *R with T the address of a table in read-only data."""
    register = whole(function.insns[at].args[0][1:])

    def is_table(insn, _at):
        return insn.op == "lea" and insn.refers is not None and \
            any(low <= insn.refers < high for low, high in readonly)

    def is_entry(insn, i):
        if insn.op != "add" or not insn.args[0].startswith("%"):
            return False
        table = insn.args[0]

        def loads(other, j):
            return other.op in ("movslq", "movsxd") and other.args[0].startswith("(" + table + ",") \
                and function.always(j, table, is_table)
        return function.always(i, register, loads) and function.always(i, table, is_table)
    return register.startswith("%") and function.always(at, register, is_entry)


def verdict(function, at, readonly):
    """"" if the instruction is allowed, else what is wrong with it."""
    insn = function.insns[at]
    is_cold = ".cold" in function.name
    if not insn.is_indirect():
        to = insn.args[0] if insn.is_call() or insn.is_jump() and insn.args else ""
        return "" if "@plt" not in to or is_cold else "call of another library"
    place = insn.args[0][1:]
    if "(%rip)" in place:
        return "" if is_cold and insn.is_call() else "call through a pointer in memory"
    if insn.is_jump():
        return "" if is_switch(function, at, readonly) else "jump through a pointer"
    base = re.fullmatch(r"0x[0-9a-f]+\((%\w+)\)", place)
    if base and function.always(at, whole(base.group(1)), from_mempool_table):
        return ""
    return "call through a pointer"


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def functions(path):
    """The burst functions of a shared object; one name occurs once per instruction set."""
    found, current = [], None
    for line in run("objdump", "-dw", "--no-show-raw-insn", path).splitlines():
        head, insn = HEAD.match(line), LINE.match(line)
        if head:
            current = Function(head.group(2)) if BURST.match(head.group(2)) else None
            if current:
                found.append(current)
        elif insn and current:
            current.insns.append(Insn(int(insn.group(1), 16), insn.group(2)))
    for function in found:
        function.link()
    return found


def readonly_ranges(path):
    ranges = []
    for line in run("readelf", "-SW", path).splitlines():
        found = re.match(r"\s*\[ *\d+\] (\.rodata\S*)\s+PROGBITS\s+([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)", line)
        if found:
            low = int(found.group(2), 16)
            ranges.append((low, low + int(found.group(3), 16)))
    return ranges


def check(path):
    """(names of the burst functions, calls through DPDK's mempool table, what is not allowed)"""
    readonly = readonly_ranges(path)
    names, nb_mempool, bad = [], 0, []
    for function in functions(path):
        names.append(function.name)
        for at, insn in enumerate(function.insns):
            wrong = verdict(function, at, readonly)
            if wrong:
                bad.append("%s at %x: %s: %s" % (function.name, insn.address, wrong, insn.text))
            elif insn.is_indirect() and insn.is_call():
                nb_mempool += 1
    return names, nb_mempool, bad


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    names, nb_mempool, bad = check(sys.argv[1])
    print("\n".join(bad))
    print("%d burst functions, %d calls of a mempool's operations, %d not allowed"
        % (len([n for n in names if "." not in n]), nb_mempool, len(bad)))
    sys.exit(1 if bad or not names else 0)


if __name__ == "__main__":
    main()
