#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# /ethdev/xstats of DPDK's telemetry answers with the extended statistics of a port. A dictionary of lib/telemetry has room for 256
# entries, and what adds the statistics does not look whether there was room. A net_vhost with 8 queue pairs has 320: all that
# its last transmit queues sent is missing from the answer, which says nothing about it. 25.11 has the same limit, and an argument
# ("hide_zero=true") with which only those count that are not zero. Takes root and huge pages.

. "$(dirname "$0")/lib.sh"
need 32
unpack dpdk-dev librte-net-vhost23 librte-net-virtio23 librte-vhost23

net_vhost "$FOLDER/s" 8
front_end "$FOLDER/s" 8
sleep 1
echo "show port xstats 0" >&3
for _ in $(seq 50); do grep -q ^tx_q7_inflight_completed "$FOLDER/log" && break; sleep 0.1; done

all=$(grep -c '^[rt]x_.*: [0-9]*$' "$FOLDER/log")
seen=$(/usr/bin/python3 - "/run/dpdk/finding$$/dpdk_telemetry.v2" <<'END'
import json, socket, sys
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
sock.settimeout(5)
sock.connect(sys.argv[1])
sock.recv(1 << 16)
sock.send(b"/ethdev/xstats,0")
told = json.loads(sock.recv(1 << 16))["/ethdev/xstats"]
print(len(told), "with" if "tx_q7_good_packets" in told else "without")
END
)
verdict "320 of 320, with tx_q7_good_packets" "${seen% *} of $all, ${seen#* } tx_q7_good_packets" \
	"256 of 320, without tx_q7_good_packets"
