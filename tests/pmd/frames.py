# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Frames with a 64-bit sequence number and random payload, pcap files, and what testpmd's
forwarding modes promise to do to a frame."""
import random
import struct

ETHERTYPE = 0x88b5  # IEEE 802 local experimental: nothing on the way looks inside
SOURCE = bytes.fromhex("0200000000aa")
DESTINATION = bytes.fromhex("0200000000bb")
PEER = bytes.fromhex("020000000000")  # testpmd's peer address for port 0
PCAP_HEADER = struct.Struct("<IHHiIII")
PCAP_RECORD = struct.Struct("<IIII")

SMALL = [60, 61, 63, 64, 65, 127, 128, 129, 255, 256, 511, 512, 1023, 1024, 1513, 1514]
# Around the places where 12 bytes of header and 2048 of a buffer end.
JUMBO = [60, 1514, 1515, 2034, 2035, 2036, 2037, 2047, 2048, 2049, 2061, 4083, 4084, 4085, 4096,
    8191, 8999, 9000]


def make(count, sizes, seed=1):
    """count frames, their sizes taken in turn from sizes and then at random between them"""
    rng = random.Random(seed)
    frames = []
    for seq in range(count):
        size = sizes[seq] if seq < len(sizes) else rng.randint(min(sizes), max(sizes))
        head = DESTINATION + SOURCE + struct.pack(">HQ", ETHERTYPE, seed << 32 | seq)
        frames.append(head + rng.randbytes(size - len(head)))
    return frames


def l4_layers():
    """Of scapy: UDP and TCP over IPv4 and IPv6"""
    from scapy.all import IP, TCP, UDP, IPv6
    return [IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=1000, dport=2000),
        IP(src="192.0.2.3", dst="192.0.2.4") / TCP(sport=1000, dport=2000, seq=7),
        IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=3, dport=4),
        IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(sport=3, dport=4)]


def packet(number, layers):
    """Of scapy: one of the layers in turn, with a payload that follows from the number. Its bytes() have right
    checksums."""
    from scapy.all import Ether, Raw
    payload = bytes((number + i) & 0xff for i in range(20 + 17 * (number % 60)))
    return Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb") / layers[number % len(layers)] / Raw(payload)


def sequence(frame):
    return struct.unpack_from(">Q", frame, 14)[0] & 0xffffffff


def is_ours(frame):
    return frame[12:14] == struct.pack(">H", ETHERTYPE)


def write_pcap(path, frames):
    with open(path, "wb") as file:
        file.write(PCAP_HEADER.pack(0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(PCAP_RECORD.pack(0, 0, len(frame), len(frame)) + frame)


def read_pcap(path, partial=False):
    """The frames of a file; partial: its end may still be on its way."""
    with open(path, "rb") as file:
        data = file.read()
    frames, pos = [], PCAP_HEADER.size
    while pos < len(data):
        if partial and pos + PCAP_RECORD.size > len(data):
            break
        _, _, kept, length = PCAP_RECORD.unpack_from(data, pos)
        assert kept == length, "%s: a frame was cut short" % path
        pos += PCAP_RECORD.size
        if pos + length > len(data):
            assert partial, "%s ends in a frame" % path
            break
        frames.append(data[pos:pos + length])
        pos += length
    return frames


def expected(frame, mode, mac):
    """The frame after one pass through testpmd in a mode; mac is the forwarding port's address."""
    if mode == "io":
        return frame
    if mode in ("mac", "csum"):
        return PEER + mac + frame[12:]
    if mode == "macswap":
        return frame[6:12] + frame[:6] + frame[12:]
    raise ValueError(mode)


def compare(got, want):
    """Fails with the first difference, not with megabytes of hex."""
    for pos, (a, b) in enumerate(zip(got, want)):
        if a == b:
            continue
        off = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        raise AssertionError("frame %d differs at byte %d: %d bytes %s..., expected %d bytes %s..."
            % (pos, off, len(a), a[off:off + 16].hex(), len(b), b[off:off + 16].hex()))
    assert len(got) == len(want), "%d frames came back of %d" % (len(got), len(want))
