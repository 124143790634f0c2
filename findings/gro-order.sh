#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# librte_gro puts segments of a TCP stream together. It leaves one with PSH alone, as its guide says, and gives it back behind all
# others of its burst, which the guide does not say: what follows it in the stream comes out ahead of it. Most writes of an
# application end in such a segment. 24.11 adds it to those before it. Takes root (a tap interface, in a namespace of its own).

. "$(dirname "$0")/lib.sh"
need tap
unpack dpdk-dev librte-net-pcap23 librte-net-tap23

/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import Ether, IP, TCP, wrpcap
wrpcap(os.environ["FOLDER"] + "/in.pcap", [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    / IP(src="192.0.2.1", dst="192.0.2.2", id=n + 1)
    / TCP(sport=1000, dport=2000, flags="PA" if n == 2 else "A", seq=1000 * n, ack=1, window=512) / bytes(1000) for n in range(6)])
END

gro net_tap0,iface=finding0
gro_send
gro_run
seen=$(/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import IP, TCP, rdpcap
print(*("%d+%d" % (packet[TCP].seq, packet[IP].len - 40) for packet in rdpcap(os.environ["FOLDER"] + "/out.pcap") if TCP in packet))
END
)
verdict "0+2000 2000+1000 3000+3000" "$seen" "0+2000 3000+3000 2000+1000"
