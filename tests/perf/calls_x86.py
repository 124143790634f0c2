# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What calls.py wants to know of instructions of x86-64, in objdump's AT&T syntax."""
import re

OBJDUMP = "objdump"
INLINES_CALL = ()
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

    def is_end(self):
        return self.op.startswith(ENDS)

    def is_jump(self):
        return self.op.startswith("j")

    def is_call(self):
        return self.op in ("call", "callq")

    def is_indirect(self):
        return (self.is_call() or self.is_jump()) and bool(self.args) and self.args[0].startswith("*")

    def is_library_call(self):
        if not (self.is_call() or self.is_jump()) or not self.args:
            return False
        return "@plt" in self.args[0] or self.is_call() and self.is_indirect() and "(%rip)" in self.args[0]

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

    def sources(self, place):
        """Where a value that it writes comes from: one of these, but for what is added."""
        op, args = self.op, self.args
        if op in ("shl", "sub", "add") and args[0].startswith("$"):
            return [place]
        if op == "add" and args[0].startswith("%"):
            return [args[0], place]
        if op == "mov" and (args[0].startswith("%") or re.search(r"\(%r[sb]p\)$", args[0])):
            return [args[0]]
        if op == "lea":
            return [whole(r) for r in re.findall(r"%\w+", args[0])]
        return []


def is_of_table(function, at, image, name):
    """The call at `at` goes through an entry of a table, whose address the linker put into the GOT."""
    del image       # objdump names what an instruction refers to
    place = re.fullmatch(r"\*0x[0-9a-f]+\((%\w+)(?:,(%\w+),1)?\)", function.insns[at].args[0])

    def is_table(insn, _at):
        return insn.symbol == name and "(%rip)" in insn.text and insn.op in ("mov", "add", "lea")

    def is_offset(insn, _at):
        return insn.op == "shl" and insn.args[0].startswith("$")
    if not place:
        return False
    base, offset = place.groups()
    return function.always(at, whole(base), is_table) and (offset is None or function.always(at, whole(offset), is_offset))


def is_switch(function, at, image):
    """movslq (T,I,4),R; add T,R; jmp *R with T the address of a table in read-only data."""
    register = whole(function.insns[at].args[0][1:])

    def is_table(insn, _at):
        return insn.op == "lea" and insn.refers is not None and image.is_readonly(insn.refers)

    def is_entry(insn, i):
        if insn.op != "add" or not insn.args[0].startswith("%"):
            return False
        table = insn.args[0]

        def loads(other, j):
            return other.op in ("movslq", "movsxd") and other.args[0].startswith("(" + table + ",") \
                and function.always(j, table, is_table)
        return function.always(i, register, loads) and function.always(i, table, is_table)
    return register.startswith("%") and function.always(at, register, is_entry)
