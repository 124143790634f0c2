#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# A vhost-user back end says with GET_QUEUE_NUM how many queue pairs it serves (QEMU docs/interop/vhost-user.rst,
# "Multiple queue support"). net_vhost with queues=1 serves one.

. "$(dirname "$0")/lib.sh"
unpack dpdk-dev librte-net-vhost23 librte-vhost23

net_vhost "$FOLDER/s"
for _ in $(seq 100); do [ -S "$FOLDER/s" ] && break; sleep 0.1; done

seen=$(/usr/bin/python3 - "$FOLDER/s" <<'EOF'
import socket, struct, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(5)
sock.connect(sys.argv[1])
def ask(request):
    sock.sendall(struct.pack("<III", request, 1, 0))
    return struct.unpack("<IIIQ", sock.recv(20))[3]
features = ask(1)                                                   # GET_FEATURES
assert features & 1 << 30, "no protocol features"
protocol = ask(15)                                                  # GET_PROTOCOL_FEATURES
sock.sendall(struct.pack("<IIIQ", 16, 1, 8, protocol & 1))          # SET_PROTOCOL_FEATURES: MQ
print(ask(17))                                                      # GET_QUEUE_NUM
EOF
)
verdict 1 "$seen" 128
