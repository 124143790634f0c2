# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The Toeplitz hash of frames, bit by bit, as the definition has it: what RSS is compared with."""

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
