#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# rte_ipv4_udptcp_cksum_mbuf() takes a checksum over a chain of mbufs. Behind an odd number of bytes, the sum of a segment has to
# be folded to 16 bits before its bytes are swapped; rte_raw_cksum_mbuf() cuts it to 16 bits, and the carries are lost. testpmd's
# csum engine ("csum set udp sw") shows it: the same datagrams come out right in segments of 300 bytes, and wrong in segments of
# 301. The function is the same in DPDK 26.07.

. "$(dirname "$0")/lib.sh"
unpack dpdk-dev librte-net-pcap23

/usr/bin/python3 - 2>/dev/null <<'END'
import os, random
from scapy.all import Ether, IP, UDP, wrpcap
folder = os.environ["FOLDER"]
random.seed(1)
wrpcap(folder + "/in.pcap", [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="192.0.2.1", dst="192.0.2.2")
    / UDP(sport=1000, dport=2000) / random.randbytes(1000) for _ in range(64)])
wrpcap(folder + "/none.pcap", [], linktype=1)
END

# csum SIZE: how many of 64 datagrams have the right checksum, when testpmd takes it over segments of that many bytes.
csum()
{
	rm -f "$FOLDER/out.pcap"
	{
		sleep 2
		printf '%s\n' "port stop all" "csum set ip sw 1" "csum set udp sw 1" "port start all" "set fwd csum" start
		sleep 2
		printf '%s\n' stop quit
	} | timeout 60 "${TESTPMD[@]}" -d librte_net_pcap.so.23 --no-huge -m 64 --no-telemetry --file-prefix="finding$$" \
		--vdev "net_pcap0,rx_pcap=$FOLDER/in.pcap,tx_pcap=$FOLDER/back.pcap" \
		--vdev "net_pcap1,rx_pcap=$FOLDER/none.pcap,tx_pcap=$FOLDER/out.pcap" -- -i --no-mlockall --no-flush-rx \
		--total-num-mbufs=2048 --mbuf-size=$((128 + $1)) >"$FOLDER/log" 2>&1
	/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import Ether, UDP, rdpcap
right, packets = 0, rdpcap(os.environ["FOLDER"] + "/out.pcap")
for packet in packets:
    seen = packet[UDP].chksum
    del packet[UDP].chksum
    right += Ether(bytes(packet))[UDP].chksum == seen
print("%d of %d" % (right, len(packets)))
END
}

even=$(csum 300)
odd=$(csum 301)
verdict "right in segments of 300 bytes: 64 of 64, of 301: 64 of 64" "right in segments of 300 bytes: $even, of 301: $odd" \
	"right in segments of 300 bytes: 64 of 64, of 301: 0 of 64"
