#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# A router that is congested writes CE (3) into the ECN field of a packet, which the receiver tells the sender (RFC 3168). librte_gro
# puts segments of a TCP stream together without a look at that field: a segment with CE becomes part of one with ECT (2), and the
# mark is lost. Linux keeps such segments apart. DPDK 26.07 does not look either. Takes root (a tap interface, in a namespace of
# its own).

. "$(dirname "$0")/lib.sh"
need tap
unpack dpdk-dev librte-net-pcap23 librte-net-tap23

/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import Ether, IP, TCP, wrpcap
wrpcap(os.environ["FOLDER"] + "/in.pcap", [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    / IP(src="192.0.2.1", dst="192.0.2.2", id=n + 1, tos=3 if n == 2 else 2)
    / TCP(sport=1000, dport=2000, flags="A", seq=1000 * n, ack=1, window=512) / bytes(1000) for n in range(4)])
END

gro net_tap0,iface=finding0
gro_send
gro_run
seen=$(/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import IP, TCP, rdpcap
print(*("%d+%d:%d" % (packet[TCP].seq, packet[IP].len - 40, packet[IP].tos & 3)
    for packet in rdpcap(os.environ["FOLDER"] + "/out.pcap") if TCP in packet))
END
)
verdict "0+2000:2 2000+1000:3 3000+1000:2" "$seen" "0+4000:2"
