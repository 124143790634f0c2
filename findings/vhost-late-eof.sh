#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# A vhost-user server that is closed by its application (rte_vhost_driver_unregister(), here by net_vhost's close) removes its
# socket and closes its connections. The front end should see the end of its connection when the socket is gone. The
# library's thread still waits in poll(2) for the descriptors that were closed, which keeps them open until that returns,
# once per second. A front end that waits for the end before it connects again is late by that much.

. "$(dirname "$0")/lib.sh"
unpack dpdk-dev librte-net-vhost23 librte-vhost23

net_vhost "$FOLDER/s"
seen=$(/usr/bin/python3 - "$FOLDER/s" <<'PY'
import os, socket, struct, sys, time
path = sys.argv[1]
command = os.fdopen(3, "w")
end = time.monotonic() + 20
sock = socket.socket(socket.AF_UNIX)
while True:
    try:
        sock.connect(path)
        break
    except OSError:
        if time.monotonic() > end:
            sys.exit("nobody listens")
        time.sleep(0.05)
sock.settimeout(20)
sock.sendall(struct.pack("<III", 1, 1, 0))  # GET_FEATURES: an answer says that the library has the connection
assert len(sock.recv(20)) == 20
time.sleep(0.2)
command.write("port stop 0\nport close 0\n")
command.flush()
while os.path.exists(path):
    if time.monotonic() > end:
        sys.exit("the port was not closed")
    time.sleep(0.001)
gone = time.monotonic()
assert sock.recv(1) == b""
late = time.monotonic() - gone
print("%.0f ms late" % (late * 1000), file=sys.stderr)
print("later than 100 ms" if late > 0.1 else "at once")
PY
)
verdict "end of the connection when the socket is gone: at once" "$seen" "later than 100 ms"
