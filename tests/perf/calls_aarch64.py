# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What calls.py wants to know of instructions of aarch64, as objdump writes them."""
import re

OBJDUMP = "aarch64-linux-gnu-objdump"
INLINES_CALL = ("memcpy",)      # what rte_memcpy() is there
READS_ONLY = re.compile(r"(cmp|cmn|tst|ccmp|ccmn|fcmpe?|fccmp|nop|prfm|prfum|dmb|dsb|isb|msr|hint|yield|clrex|st.*)$")
ATOMIC = re.compile(r"(ld(add|clr|eor|set|[su]max|[su]min)|swp|casp?)[a-z]*$")
EXCLUSIVE_STORE = re.compile(r"stl?x[rp][bh]?$")
CLOBBERED = {"x%d" % i for i in range(19)} | {"x30"}
SIZES = {"w": 4, "x": 8, "s": 4, "d": 8, "q": 16, "h": 2, "b": 1}      # by a register, and of strh and strb


def whole(register):
    """The 64 bit register of which this is a part."""
    return re.sub(r"^w(?=\d|zr)", "x", register)


class Insn:
    def __init__(self, address, text):
        self.address = address
        self.text = text.partition("//")[0].strip()
        self.op, _, rest = self.text.partition("\t")
        # Commas inside of brackets belong to one operand.
        self.parts = [a.strip() for a in re.split(r",(?![^\[{]*[\]}])", rest) if a.strip()]
        self.args = [whole(a) for a in self.parts]

    def is_end(self):
        return self.op in ("b", "br", "ret", "udf", "brk")

    def is_jump(self):
        return self.op in ("b", "br", "cbz", "cbnz", "tbz", "tbnz") or self.op.startswith("b.")

    def is_call(self):
        return self.op in ("bl", "blr")

    def is_indirect(self):
        return self.op in ("br", "blr")

    def is_library_call(self):
        return (self.is_call() or self.is_jump()) and "@plt" in self.args[-1]

    def target(self):
        if not self.is_jump() or self.is_indirect():
            return None
        return int(self.args[-1].split()[0], 16)

    def memory(self):
        """(base register, offset, is it written back), None without both."""
        for i, arg in enumerate(self.args):
            found = re.fullmatch(r"\[(\w+)(?:, #(-?\w+))?\](!?)", arg)
            if found:
                return found.group(1), int(found.group(2) or "0", 0), bool(found.group(3)) or i + 1 < len(self.args)
        return None

    def stored(self):
        """{place on the stack: register that is stored there, "" if it is only a part of it or more}"""
        memory = self.memory()
        if not self.op.startswith("st") or memory is None or memory[0] not in ("sp", "x29"):
            return {}
        found, offset = {}, memory[1]
        for part in self.parts:
            if part.startswith("["):
                break
            size = SIZES.get(self.op[-1]) or SIZES.get(part[0], 16)
            for low in range(offset - 7, offset + size):
                found["%s+%d" % (memory[0], low)] = ""
            if size == 8 and part[0] == "x":
                found["%s+%d" % (memory[0], offset)] = part
            offset += size
        return found

    def writes(self, place):
        """Does it change a register, or a place on the stack ("sp+16") that is written the same way?"""
        if self.is_call():
            return place in CLOBBERED
        if self.is_jump() or not self.args:
            return False
        memory = self.memory()
        if memory is not None and memory[2] and memory[0] == place:
            return True
        if place in self.stored() or EXCLUSIVE_STORE.match(self.op) and place == self.args[0]:
            return True
        if READS_ONLY.match(self.op) or EXCLUSIVE_STORE.match(self.op):
            return False
        if ATOMIC.match(self.op):
            return place in self.args
        return place in self.args[:2 if re.match(r"ld[a-z]*p", self.op) else 1]

    def sources(self, place):
        """Where a value that it writes comes from: one of these, but for what is added."""
        op, args, memory = self.op, self.args, self.memory()
        if place in self.stored():
            return [self.stored()[place]] if self.stored()[place] else []
        if op == "mov" and self.parts[1].startswith("x"):
            return [args[1]]
        if op in ("add", "sub") and self.parts[0].startswith("x"):
            return [args[1]] if op == "sub" or args[2].startswith("#") else args[1:3]
        if op in ("madd", "smaddl", "umaddl"):
            return [args[3]]
        if op in ("ldr", "ldp") and memory and memory[0] in ("sp", "x29") and self.parts[0].startswith("x"):
            return ["%s+%d" % (memory[0], memory[1] + 8 * args.index(place))] if not memory[2] else []
        return []


def is_at(function, at, register, address):
    """On all paths `register` is the page of an address there (`adrp`)."""
    def is_page(insn, _at):
        return insn.op == "adrp" and int(insn.args[1].split()[0], 16) == address
    return function.always(at, register, is_page)


def is_of_table(function, at, image, name):
    """The call at `at` goes through an entry of a table, whose address the linker put into the GOT: adrp P, GOT;
    ldr T, [P, #slot]; add E, T, I; ldr R, [E, #entry]; blr R."""
    def is_table(insn, i):
        memory = insn.memory()
        return insn.op == "ldr" and memory is not None and \
            any(is_at(function, i, memory[0], slot - memory[1]) for slot in image.got(name))

    def is_entry(insn, i):
        memory = insn.memory()
        return insn.op == "ldr" and memory is not None and function.always(i, memory[0], is_table)
    return function.always(at, function.insns[at].args[0], is_entry)


def is_switch(function, at, image):
    """ldr[bh] I, [T, ...]; adr A, here; add R, A, I, ... #2; br R with T the address of a table in read-only data."""
    def is_table(insn, i):
        return insn.op == "add" and len(insn.args) == 3 and insn.args[2].startswith("#") and any(
            is_at(function, i, insn.args[1], page) for page in image.readonly_pages(int(insn.args[2][1:], 0)))

    def is_here(insn, _at):
        return insn.op == "adr" and function.has(int(insn.args[1].split()[0], 16))

    def is_step(insn, i):
        found = re.match(r"\[(\w+),", insn.args[1]) if insn.op in ("ldrb", "ldrh", "ldr", "ldrsw") else None
        return bool(found) and function.always(i, found.group(1), is_table)

    def is_place(insn, i):
        return insn.op == "add" and len(insn.args) == 4 and insn.args[3].endswith("#2") and \
            function.always(i, insn.args[1], is_here) and function.always(i, insn.args[2], is_step)
    return function.always(at, function.insns[at].args[0], is_place)
