#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# passt of Debian 13 as a vhost-user back end does not offer GUEST_CSUM, so that its driver may expect whole checksums (virtio
# 1.2, 5.1.6.4.1: without that feature the device sets flags to zero, and should supply a fully checksummed packet). Its TCP has a checksum of
# zero, which a guest's kernel drops: no connection comes about.

. "$(dirname "$0")/lib.sh"
need tap 48
unpack dpdk-dev librte-net-virtio23 librte-net-tap23 librte-vhost23
passt_guest 0.0~git20250503.587980c-2+deb13u1 2.41-12+deb13u5 queue_size=256

nsenter --target $HOST --net /usr/bin/python3 -c 'import socket, time
sock = socket.create_server(("127.0.0.1", 5001))
time.sleep(600)' &
PIDS+=($!)
sleep 0.5
in_net $GUEST /usr/bin/python3 -c 'import socket
socket.create_connection(("192.0.2.1", 5001), 5)' 2>"$FOLDER/error" && connected="a connection" || connected="no connection"
errors=$(in_net $GUEST awk '$1 == "Tcp:" && n++ { print $NF }' /proc/net/snmp)
[ "$errors" -gt 0 ] && connected="$connected, wrong checksums"
verdict "a connection" "$connected" "no connection, wrong checksums"
