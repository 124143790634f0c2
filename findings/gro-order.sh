#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# librte_gro puts segments of a TCP stream together. It leaves one with PSH alone, as its guide says, and gives it back behind all
# others of its burst, which the guide does not say: what follows it in the stream comes out ahead of it. Most writes of an
# application end in such a segment. 24.11 adds it to those before it. Takes root (a tap interface, in a namespace of its own).

. "$(dirname "$0")/lib.sh"
unpack dpdk-dev librte-net-pcap23 librte-net-tap23
export FOLDER

/usr/bin/python3 -c 'import os; from scapy.all import wrpcap
wrpcap(os.environ["FOLDER"] + "/none.pcap", [], linktype=1)' 2>/dev/null
unshare --net sleep 100 & net=$!
PIDS+=($net)
mkfifo "$FOLDER/in"
sleep 0.5

nsenter --target $net --net stdbuf -oL dpdk-testpmd -d librte_net_pcap.so.23 -d librte_net_tap.so.23 --no-pci --no-huge -m 64 \
	--no-telemetry --file-prefix="finding$$" --vdev net_tap0,iface=finding0 \
	--vdev "net_pcap1,rx_pcap=$FOLDER/none.pcap,tx_pcap=$FOLDER/out.pcap" -- \
	-i --no-mlockall --no-flush-rx --total-num-mbufs=2048 <"$FOLDER/in" >"$FOLDER/log" 2>&1 &
PIDS+=($!)
exec 3>"$FOLDER/in"
printf '%s\n' "port stop all" "set port 0 gro on" "set gro flush 1" "csum set ip sw 1" "csum set tcp sw 1" "port start all" \
	"set fwd csum" >&3
for _ in $(seq 200); do grep -q "Set csum packet" "$FOLDER/log" && break; sleep 0.1; done

# What goes out of the interface comes into its port: six segments of one stream, which wait for testpmd and make one burst.
in_net $net ip link set finding0 up
in_net $net /usr/bin/python3 - 2>/dev/null <<'END'
import socket
from scapy.all import Ether, IP, TCP
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("finding0", 0))
for n in range(6):
    out.send(bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="192.0.2.1", dst="192.0.2.2", id=n + 1)
        / TCP(sport=1000, dport=2000, flags="PA" if n == 2 else "A", seq=1000 * n, ack=1, window=512) / bytes(1000)))
END
printf '%s\n' start >&3
sleep 2
printf '%s\n' stop quit >&3
wait "${PIDS[1]}"
seen=$(/usr/bin/python3 - 2>/dev/null <<'END'
import os
from scapy.all import IP, TCP, rdpcap
print(*("%d+%d" % (packet[TCP].seq, packet[IP].len - 40) for packet in rdpcap(os.environ["FOLDER"] + "/out.pcap") if TCP in packet))
END
)
verdict "0+2000 2000+1000 3000+3000" "$seen" "0+2000 3000+3000 2000+1000"
