#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# collectd's plug-in dpdkstat reads the statistics of a DPDK process as a secondary process of it, whose --file-prefix is the option
# FilePrefix (collectd.conf(5)). Built with DPDK 22.11 it gives EAL the path of a configuration file as --file-prefix, and EAL,
# which puts the prefix into a path of its own, finds no folder of that name. So it reaches no process.

. "$(dirname "$0")/lib.sh"
need
unpack dpdk-dev librte-net-null23
VERSION=5.12.0-14 unpack collectd-core

# What it should read.
mkfifo "$FOLDER/in"
"${TESTPMD[@]}" -d librte_net_null.so.23 -l 0-1 --no-huge -m 64 --no-telemetry --file-prefix="finding$$" --vdev net_null0 -- -i \
	--no-mlockall --total-num-mbufs=2048 <"$FOLDER/in" >"$FOLDER/log" 2>&1 &
PIDS+=($!)
exec 3>"$FOLDER/in"
for _ in $(seq 100); do grep -q testpmd\> "$FOLDER/log" && break; sleep 0.1; done

cat >"$FOLDER/conf" <<END
FQDNLookup false
Interval 1
BaseDir "$FOLDER"
PIDFile "$FOLDER/pid"
PluginDir "$FOLDER/root/usr/lib/collectd"
TypesDB "$FOLDER/root/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
	File stdout
</Plugin>
LoadPlugin dpdkstat
<Plugin dpdkstat>
	<EAL>
		Coremask "0x1"
		FilePrefix "finding$$"
	</EAL>
	SharedMemObj "finding$$"
</Plugin>
END
timeout 20 "$FOLDER/root/usr/sbin/collectd" -f -C "$FOLDER/conf" >"$FOLDER/collectd" 2>&1 </dev/null
rm -f "/dev/shm/finding$$"*
seen=$(sed -n "s/finding$$/NAME/g; s/^EAL: Error creating \('[^']*'\).*/EAL finds no \1/p" "$FOLDER/collectd" | head -n 1)
verdict "no error of EAL" "${seen:-no error of EAL}" "EAL finds no '/var/run/dpdk//var/run/dpdk/NAME/config'"
