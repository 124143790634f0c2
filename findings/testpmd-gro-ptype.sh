#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# testpmd's GRO ("set port 0 gro on", "set fwd csum") puts segments of one TCP stream together that come in one burst; the testpmd
# guide names no condition. librte_gro tells TCP by mbuf.packet_type, which testpmd leaves to the port's driver: net_tap writes
# it, net_pcap does not, although the csum engine itself reads each header. So over net_pcap nothing is ever put together,
# without a word; the same segments over net_tap are. Takes root (a tap interface, in a network namespace of its own).

. "$(dirname "$0")/lib.sh"
need tap
unpack dpdk-dev librte-net-pcap23 librte-net-tap23

/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import Ether, IP, TCP, wrpcap
wrpcap(os.environ["FOLDER"] + "/in.pcap", [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    / IP(src="192.0.2.1", dst="192.0.2.2", id=n + 1, flags="DF")
    / TCP(sport=1000, dport=2000, flags="A", seq=1000 * n, ack=1, window=512) / bytes(1000) for n in range(8)])
END

# outcome: what came of the 8 segments.
outcome()
{
	/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import TCP, rdpcap
sizes = [len(packet) for packet in rdpcap(os.environ["FOLDER"] + "/out.pcap") if TCP in packet]
print("separate" if sizes == [1054] * 8 else "together" if sizes and max(sizes) > 1054 else sizes)
END
}

gro "net_pcap0,rx_pcap=$FOLDER/in.pcap,tx_pcap=$FOLDER/back.pcap"
gro_run
over_pcap=$(outcome)
gro net_tap0,iface=finding0
gro_send
gro_run
over_tap=$(outcome)

verdict "over net_pcap: together; over net_tap: together" "over net_pcap: $over_pcap; over net_tap: $over_tap" \
	"over net_pcap: separate; over net_tap: together"
