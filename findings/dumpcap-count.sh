#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# dpdk-dumpcap stops after as many packets as its option -c says, like Wireshark's dumpcap. It counts after it has written all that it
# took from the capturing process at once, which may be 32: -c 5 writes 32 packets. The program is the same there in 25.11. Takes
# root and huge pages.

. "$(dirname "$0")/lib.sh"
need tap 16
unpack dpdk dpdk-dev librte-net-tap23
capture -c 5
seen=$(/usr/bin/python3 -c 'import os
from scapy.all import RawPcapNgReader
print(len(list(RawPcapNgReader(os.environ["FOLDER"] + "/seen.pcapng"))))' 2>/dev/null)
verdict 5 "$seen" 32
