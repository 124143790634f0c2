# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The Toeplitz hash of frames, bit by bit, as the definition has it: what RSS is compared with; flows to be hashed, and
where they must come."""
from frames import packet

KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")
TABLE = 128


def toeplitz(key, data):
    """The sum of the 32 bits of the key at each bit of the data that is set."""
    number, bits = int.from_bytes(key, "big"), 8 * len(key)
    result = 0
    for i in range(8 * len(data)):
        if data[i // 8] >> (7 - i % 8) & 1:
            result ^= number >> (bits - 32 - i) & 0xffffffff
    return result


def tuple_of(frame, ports=(6, 17), addresses=True):
    """Of a frame without tags, options, fragments and extension headers. ports: the protocols of which they are
    hashed; addresses: are those of the others? None: it has none."""
    kind = frame[12:14]
    if kind == b"\x08\x00":
        proto, start, end = frame[23], 26, 34
    elif kind == b"\x86\xdd":
        proto, start, end = frame[20], 22, 54
    else:
        return None
    if proto in ports:
        return frame[start:end + 4]
    return frame[start:end] if addresses else None


def hash_of(frame, key=KEY, **what):
    data = tuple_of(frame, **what)
    return None if data is None else toeplitz(key, data)


def flows(count, first=0):
    """UDP and TCP over IPv4 and IPv6 with many addresses and ports, ICMP, and what is no IP; a number in each."""
    from scapy.all import ARP, ICMP, IP, TCP, UDP, IPv6
    made = []
    for n in range(first, first + count):
        flow = n % 61
        v4, v6 = IP(src="192.0.2.%d" % flow, dst="198.51.100.7"), IPv6(src="2001:db8::%x" % flow, dst="2001:db8::1")
        layers = [v4 / UDP(sport=1000 + flow, dport=53), v4 / TCP(sport=1000 + flow, dport=80),
            v6 / UDP(sport=3000 + flow, dport=53), v6 / TCP(sport=4, dport=4000 + flow), v4 / ICMP(),
            ARP(psrc="192.0.2.%d" % flow)]
        made.append(bytes(packet(n, [layers[flow % len(layers)]])))
    return made


def check(got, per_queue, table, key=KEY, **what):
    """Each packet has its hash and is in its queue; in a queue those that came by one queue are in order."""
    left = {queue: [] for queue in range(max(table) + 1)}
    for source, frames in enumerate(per_queue):
        for frame in frames:
            value = hash_of(frame, key, **what)
            queue = source if value is None else table[value % TABLE]
            left.setdefault(queue, []).append((source, len(frame), value))
    for length, value, queue in got:
        at = next((i for i, (_, *rest) in enumerate(left[queue]) if rest == [length, value]), None)
        assert at is not None, "queue %d got length %d, hash %s" % (queue, length, value)
        source = left[queue][at][0]
        first = next(i for i, (other, *_) in enumerate(left[queue]) if other == source)
        assert at == first, "queue %d: a packet of the device's queue %d came before another" % (queue, source)
        del left[queue][at]
    assert not any(left.values()), left


def set_table(front, table):
    """In pieces: testpmd's command line is short."""
    for at in range(0, TABLE, 8):
        front.cmd("port config 0 rss reta " + ",".join("(%d,%d)" % (i, table[i]) for i in range(at, at + 8)))


def even(queues):
    return [i % queues for i in range(TABLE)]
