#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# dpdk-dumpcap writes when each packet was seen, in nanoseconds since 1970. lib/pcapng of 22.11 learns how the time stamp counter of
# the capturing process and the clock go together when it first needs that: for a packet whose counter was read before. The
# negative difference is taken for a positive one, and all that this process captures from then on is 2^64 periods of the
# counter late: more than a century for any counter below 5 GHz. 24.11 does it another way. Takes root and huge pages.

. "$(dirname "$0")/lib.sh"
unpack dpdk dpdk-dev librte-net-tap23
export FOLDER

unshare --net sleep 100 & net=$!
PIDS+=($net)
mkdir "$FOLDER/none"
mkfifo "$FOLDER/in"
sleep 0.5
nsenter --target $net --net stdbuf -oL dpdk-testpmd -d librte_mempool_ring.so.23 -d librte_net_tap.so.23 --no-pci -m 32 \
	--no-telemetry --file-prefix="finding$$" --vdev net_tap0,iface=finding0 -- -i --no-mlockall --total-num-mbufs=2048 \
	<"$FOLDER/in" >"$FOLDER/log" 2>&1 &
PIDS+=($!)
exec 3>"$FOLDER/in"
printf '%s\n' "set fwd rxonly" start >&3
for _ in $(seq 200); do grep -q "rxonly packet forwarding" "$FOLDER/log" && break; sleep 0.1; done

# It takes no options of EAL, and must neither look at the devices of the machine nor number the drivers of mempools otherwise than
# testpmd does, which is linked with one of them.
LD_PRELOAD="librte_mempool_ring.so.23 librte_mempool_dpaa.so.23" SYSFS_PCI_DEVICES=$FOLDER/none timeout 20 dpdk-dumpcap \
	--file-prefix="finding$$" -i net_tap0 -a duration:3 -w "$FOLDER/seen.pcapng" >"$FOLDER/dumpcap" 2>&1 &
dumpcap=$!
for _ in $(seq 150); do [ -s "$FOLDER/seen.pcapng" ] && break; sleep 0.1; done
sleep 1
in_net $net ip link set finding0 up
in_net $net /usr/bin/python3 -c 'import socket
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("finding0", 0))
for _ in range(10):
    out.send(bytes.fromhex("020000000002 020000000001 88b5") + bytes(46))'
wait $dumpcap

seen=$(/usr/bin/python3 - 2>/dev/null <<'END'
import os, time
from scapy.all import RawPcapNgReader
late = [(meta.tshigh << 32 | meta.tslow) / meta.tsresol - time.time()
    for packet, meta in RawPcapNgReader(os.environ["FOLDER"] + "/seen.pcapng") if packet[12:14] == b"\x88\xb5"]
print(len(late), "packets,", "within a minute" if max(map(abs, late)) < 60
    else "more than a century late" if min(late) > 100 * 365 * 86400 else late)
END
)
verdict "10 packets, within a minute" "$seen" "10 packets, more than a century late"
