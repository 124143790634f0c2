#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# dpdk-dumpcap writes when each packet was seen, in nanoseconds since 1970. lib/pcapng of 22.11 learns how the time stamp counter of
# the capturing process and the clock go together when it first needs that: for a packet whose counter was read before. The
# negative difference is taken for a positive one, and all that this process captures from then on is 2^64 periods of the
# counter late: more than a century for any counter below 5 GHz. 24.11 does it another way. Takes root and huge pages.

. "$(dirname "$0")/lib.sh"
need tap 16
unpack dpdk dpdk-dev librte-net-tap23

capture -a duration:3
seen=$(/usr/bin/python3 - 2>/dev/null <<'END'
import os, time
from scapy.all import RawPcapNgReader
late = [(meta.tshigh << 32 | meta.tslow) / meta.tsresol - time.time()
    for packet, meta in RawPcapNgReader(os.environ["FOLDER"] + "/seen.pcapng") if packet[12:14] == b"\x88\xb5"]
print(len(late), "packets,", "within a minute" if max(map(abs, late)) < 60
    else "more than a century late" if min(late) > 100 * 365 * 86400 else late)
END
)
verdict "64 packets, within a minute" "$seen" "64 packets, more than a century late"
