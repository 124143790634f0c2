# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The rings of a scripted back end: split (2.7) and packed (2.8) ones, over memory that the driver has shown. What was mapped
stays mapped for as long as the object lives, whatever the driver takes back meanwhile: as with a real back end."""
import itertools
import mmap
import struct

F_NEXT, F_WRITE, F_INDIRECT, F_AVAIL, F_USED = 1, 2, 4, 1 << 7, 1 << 15
DESC = struct.Struct("<QIHH")  # of both ring types, though a packed one has the id before the flags
HDR_LEN = 12


class Memory:
    """Regions by the driver's addresses."""

    def __init__(self, regions):
        self.parts = [(r.user, r.size, mmap.mmap(r.fd, r.size, offset=r.offset)) for r in regions]

    def at(self, address, length):
        for user, size, view in self.parts:
            if user <= address and address + length <= user + size:
                return view, address - user
        raise LookupError("%#x is in no region" % address)

    def read(self, address, length):
        view, at = self.at(address, length)
        return view[at:at + length]

    def write(self, address, data):
        view, at = self.at(address, len(data))
        view[at:at + len(data)] = data

    def unpack(self, form, address):
        return struct.unpack(form, self.read(address, struct.calcsize(form)))


class Chain:
    """A buffer that the driver gave: pieces of (address, length), and whether they are for writing."""

    def __init__(self, ident, count):
        self.ident, self.count, self.pieces, self.is_write = ident, count, [], False

    def add(self, address, length, flags):
        self.pieces.append((address, length))
        self.is_write = bool(flags & F_WRITE)


class Ring:
    def __init__(self, memory, size, addresses):
        self.memory, self.size = memory, size
        self.desc, self.driver, self.device = addresses

    def table(self, chain, address, length):
        for at in range(address, address + length, DESC.size):
            piece, size, a, b = DESC.unpack(self.memory.read(at, DESC.size))
            chain.add(piece, size, self.flags_of(a, b))

    def data(self, chain):
        return b"".join(self.memory.read(*piece) for piece in chain.pieces if piece[1])

    def fill(self, chain, data):
        """Writes into a buffer as much as there is room for; how much."""
        done = 0
        for address, length in chain.pieces:
            part = data[done:done + length]
            if part:  # an empty piece may lie anywhere
                self.memory.write(address, part)
            done += len(part)
        return done

    def take_all(self):
        """All that the ring says is available now."""
        chains = []
        while len(chains) < self.size:
            chain = self.take()
            if chain is None:
                break
            chains.append(chain)
        return chains


class SplitRing(Ring):
    def __init__(self, *how):
        super().__init__(*how)
        self.seen = self.used = 0

    @staticmethod
    def flags_of(flags, _next):
        return flags

    def take(self):
        if self.memory.unpack("<H", self.driver + 2)[0] == self.seen & 0xffff:
            return None
        head, = self.memory.unpack("<H", self.driver + 4 + 2 * (self.seen % self.size))
        self.seen += 1
        chain, slot = Chain(head, 1), head
        for _ in range(self.size):
            address, length, flags, after = DESC.unpack(self.memory.read(self.desc + slot * DESC.size, DESC.size))
            if flags & F_INDIRECT:
                self.table(chain, address, length)
            else:
                chain.add(address, length, flags)
            if not flags & F_NEXT:
                break
            slot = after
        return chain

    def put(self, chain, length):
        self.memory.write(self.device + 4 + 8 * (self.used % self.size), struct.pack("<II", chain.ident, length))
        self.used += 1
        self.memory.write(self.device + 2, struct.pack("<H", self.used & 0xffff))


class PackedRing(Ring):
    def __init__(self, *how):
        super().__init__(*how)
        self.seen, self.seen_wrap = 0, True
        self.used, self.used_wrap = 0, True

    @staticmethod
    def flags_of(_ident, flags):
        return flags

    def take(self):
        chain = None
        while True:
            address, length, ident, flags = DESC.unpack(self.memory.read(self.desc + self.seen * DESC.size, DESC.size))
            if chain is None and (bool(flags & F_AVAIL) != self.seen_wrap or bool(flags & F_USED) == self.seen_wrap):
                return None
            chain = chain or Chain(0, 0)
            chain.ident, chain.count = ident, chain.count + 1
            if flags & F_INDIRECT:
                self.table(chain, address, length)
            else:
                chain.add(address, length, flags)
            self.seen = (self.seen + 1) % self.size
            self.seen_wrap ^= self.seen == 0
            if not flags & F_NEXT:
                return chain

    def put(self, chain, length):
        flags = F_AVAIL | F_USED if self.used_wrap else 0
        at = self.desc + self.used * DESC.size
        self.memory.write(at + 8, struct.pack("<IH", length, chain.ident))
        self.memory.write(at + 14, struct.pack("<H", flags | (F_WRITE if chain.is_write else 0)))
        self.used += chain.count
        if self.used >= self.size:
            self.used -= self.size
            self.used_wrap = not self.used_wrap


BURST = 32


class Traffic:
    """What a back end does with the two rings of a pair, step by step, when its script says so. mode: "echo" sends back what
    comes, "drip" sends a packet now and then, so that there always are buffers left, "hold" takes all buffers and completes
    none."""

    def __init__(self, mode, to_front, from_front):
        self.mode, self.to_front, self.from_front = mode, to_front, from_front
        self.held = []
        self.moved = 0

    def step(self):
        """Seconds until there may be something to do."""
        if self.mode == "hold":
            self.held += self.to_front.take_all()
            return 0.001
        if self.mode == "drip":
            packets = [bytes(HDR_LEN) + FRAME]
        else:
            packets = []
            # Not until there is none: a front end that sends all the time always has more.
            for chain in itertools.islice(iter(self.from_front.take, None), BURST):
                packets.append(self.from_front.data(chain))
                self.from_front.put(chain, 0)
        for packet in packets:
            chain = self.to_front.take()
            if chain is None:
                break
            # num_buffers, at the end of the header
            packet = packet[:HDR_LEN - 2] + b"\1\0" + packet[HDR_LEN:]
            self.to_front.put(chain, self.to_front.fill(chain, packet))
            self.moved += 1
        return 0.05 if self.mode == "drip" else 0 if packets else 0.001

    def scribble(self, new=True):
        """Writes into what it holds, and into what the rings say is available; how many buffers had room."""
        chains = self.held + (self.to_front.take_all() if new else [])
        return sum(self.to_front.fill(chain, SCRIBBLE) > 0 for chain in chains)


FRAME = bytes.fromhex("0200000000bb0200000000aa88b5") + bytes(46)
SCRIBBLE = b"\x11" * 256
