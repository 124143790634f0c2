#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# rte_eth_xstats_get() gives an application the statistics that each port has ("rx_good_packets") and those of its driver. A
# started port of net_vhost has none at all while no front end is connected: the driver asks lib/vhost for counters, which live
# in the connection, and its error becomes the answer for all. rte_eth_stats_get() goes on. So who watches extended
# statistics loses the port when a guest restarts. The driver of DPDK 25.11 does the same.

. "$(dirname "$0")/lib.sh"
unpack dpdk-dev librte-net-vhost23 librte-vhost23

net_vhost "$FOLDER/s"
printf '%s\n' "show port stats 0" "show port xstats 0" quit >&3
wait "${PIDS[0]}"
stats=$(grep -c "RX-packets: 0 " "$FOLDER/log")
xstats=$(grep -c "^rx_good_packets: 0" "$FOLDER/log")
error=$(sed -n 's/^Error: //p' "$FOLDER/log")
verdict "stats: 1, xstats: 1" "stats: $stats, xstats: $xstats${error:+ ($error)}" "stats: 1, xstats: 0 (Cannot get count of xstats)"
