#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# net_vhost and net_virtio count packets by size in the steps of RFC 2819, whose sizes have the four bytes of the FCS; so does the
# name "undersize_packets", of frames that are too short for Ethernet. The length of an mbuf has no FCS, and the drivers
# do not add it: each frame of the smallest size, an acknowledgement of TCP among them, is undersize, and what they count as 64
# bytes has 68 on a wire. Nothing is wrong on the link. The same in DPDK 25.11. Takes root and huge pages.

. "$(dirname "$0")/lib.sh"
need 32
unpack dpdk-dev librte-net-vhost23 librte-net-virtio23 librte-vhost23

net_vhost "$FOLDER/s"
printf '%s\n' "set fwd rxonly" start >&3
front_end "$FOLDER/s"
printf '%s\n' "set fwd txonly" "set txpkts 60" start >&4
sleep 0.5
printf '%s\n' stop >&4
sleep 1
printf '%s\n' stop "show port xstats 0" quit >&3
wait "${PIDS[0]}"

# counter NAME
counter() { sed -n "s/^$1: //p" "$FOLDER/log"; }
[ "$(counter rx_q0_good_bytes)" = $((60 * $(counter rx_q0_good_packets))) ] || echo "not all of 60 bytes"
# of NAME: how many of the packets that counts.
of() { case $(counter "$1") in 0) echo none ;; "$(counter rx_q0_good_packets)") echo all ;; *) echo some ;; esac; }
verdict "undersize: none, size_64: all" "undersize: $(of rx_q0_undersize_packets), size_64: $(of rx_q0_size_64_packets)" \
	"undersize: all, size_64: none"
