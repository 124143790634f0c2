#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# testpmd's GRO ("set port 0 gro on", "set fwd csum") puts segments of one TCP stream together that come in one burst; the testpmd
# guide names no condition. librte_gro tells TCP by mbuf.packet_type, which testpmd leaves to the port's driver: net_tap writes
# it, net_pcap does not, although the csum engine itself reads each header. So over net_pcap nothing is ever put together,
# without a word; the same segments over net_tap are. Takes root (a tap interface, in a network namespace of its own).

. "$(dirname "$0")/lib.sh"
unpack dpdk-dev librte-net-pcap23 librte-net-tap23
export FOLDER

/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import Ether, IP, TCP, wrpcap
folder = os.environ["FOLDER"]
wrpcap(folder + "/in.pcap", [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    / IP(src="192.0.2.1", dst="192.0.2.2", id=n + 1, flags="DF")
    / TCP(sport=1000, dport=2000, flags="A", seq=1000 * n, ack=1, window=512) / bytes(1000) for n in range(8)])
wrpcap(folder + "/none.pcap", [], linktype=1)
END

# gro VDEV: the port 0 of a testpmd that forwards to a file; what came of 8 segments.
gro()
{
	{
		sleep 3
		printf '%s\n' "port stop all" "set port 0 gro on" "set gro flush 1" "csum set ip sw 1" "csum set tcp sw 1" \
			"port start all" "set fwd csum" start
		sleep 4
		printf '%s\n' stop quit
	} | timeout 60 dpdk-testpmd -d librte_net_pcap.so.23 -d librte_net_tap.so.23 --no-pci --no-huge -m 64 --no-telemetry \
		--file-prefix="finding$$" --vdev "$1" --vdev "net_pcap1,rx_pcap=$FOLDER/none.pcap,tx_pcap=$FOLDER/out.pcap" -- \
		-i --no-mlockall --no-flush-rx --total-num-mbufs=2048 >"$FOLDER/log" 2>&1
	/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import TCP, rdpcap
sizes = [len(packet) for packet in rdpcap(os.environ["FOLDER"] + "/out.pcap") if TCP in packet]
print("separate" if sizes == [1054] * 8 else "together" if sizes and max(sizes) > 1054 else sizes)
END
}

# What goes out of an interface comes into the port that has it.
send()
{
	ip link set finding0 up
	/usr/bin/python3 - 2>/dev/null <<'END'
import os, socket
from scapy.all import rdpcap
packets = [bytes(packet) for packet in rdpcap(os.environ["FOLDER"] + "/in.pcap")]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("finding0", 0))
for packet in packets:
    out.send(packet)
END
}

over_pcap=$(gro "net_pcap0,rx_pcap=$FOLDER/in.pcap,tx_pcap=$FOLDER/back.pcap")
export -f gro send
over_tap=$(unshare -n bash -c 'gro net_tap0,iface=finding0 & sleep 5; send; wait')

verdict "over net_pcap: together; over net_tap: together" "over net_pcap: $over_pcap; over net_tap: $over_tap" \
	"over net_pcap: separate; over net_tap: together"
