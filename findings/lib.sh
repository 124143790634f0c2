# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
# shellcheck shell=bash
#
# Sourced by the scripts here: packages of DPDK below a folder that goes away at the end.

VERSION=22.11.11-0+deb12u1
FOLDER=$(mktemp -d)
PIDS=()

finish()
{
	local pid
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	rm -rf "$FOLDER" "/run/dpdk/finding$$"
}
trap finish EXIT

# unpack PACKAGE...: exactly VERSION of each, and the programs and libraries of all in PATH and LD_LIBRARY_PATH.
unpack()
{
	local package
	for package in "$@"; do
		(cd "$FOLDER" && apt-get download -qq "$package=$VERSION" >/dev/null 2>&1) || {
			echo "$package $VERSION cannot be had from this machine's sources" >&2
			exit 77
		}
	done
	for package in "$FOLDER"/*.deb; do
		dpkg-deb -x "$package" "$FOLDER/root"
	done
	export PATH=$FOLDER/root/usr/bin:$PATH
	LD_LIBRARY_PATH=$(dirname "$(find "$FOLDER/root" -name 'librte_*.so.*' | head -n 1)")
	export LD_LIBRARY_PATH
}

# net_vhost SOCKET: testpmd with net_vhost, of one queue pair, as the server there; its commands are read from descriptor 3.
net_vhost()
{
	mkfifo "$FOLDER/in"
	dpdk-testpmd -d librte_net_vhost.so.23 --no-pci --no-huge -m 64 --no-telemetry --file-prefix="finding$$" \
		--vdev "net_vhost0,iface=$1,queues=1" -- -i --no-mlockall --total-num-mbufs=2048 \
		<"$FOLDER/in" >"$FOLDER/log" 2>&1 &
	PIDS+=($!)
	exec 3>"$FOLDER/in"
}

# verdict EXPECTED SEEN REMEMBERED
verdict()
{
	echo "version:  $VERSION"
	echo "expected: $1"
	echo "seen:     $2"
	if [ "$2" = "$3" ]; then
		echo "as before"
	else
		echo "before:   $3" && exit 1
	fi
}
