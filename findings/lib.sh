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
	rm -rf "$FOLDER" "/run/dpdk/finding$$" "/run/dpdk/finding$$"[a-z]
	rm -f "/dev/hugepages/finding$$"map_*
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

# net_vhost SOCKET [QUEUES]: testpmd with net_vhost, of one queue pair unless told, as the server there; its commands are read from
# descriptor 3.
net_vhost()
{
	mkfifo "$FOLDER/in"
	stdbuf -oL dpdk-testpmd -d librte_net_vhost.so.23 --no-pci --no-huge -m 64 --file-prefix="finding$$" \
		--vdev "net_vhost0,iface=$1,queues=${2:-1}" -- -i --no-mlockall --total-num-mbufs=4096 --rxq="${2:-1}" --txq="${2:-1}" \
		<"$FOLDER/in" >"$FOLDER/log" 2>&1 &
	PIDS+=($!)
	exec 3>"$FOLDER/in"
}

# front_end SOCKET [QUEUES]: testpmd with net_virtio_user on a server of net_vhost; returns when it is up. Its commands are read from
# descriptor 4. Takes huge pages.
front_end()
{
	local _
	for _ in $(seq 200); do [ -S "$1" ] && break; sleep 0.1; done
	mkfifo "$FOLDER/front"
	stdbuf -oL dpdk-testpmd -d librte_net_virtio.so.23 --no-pci --in-memory --single-file-segments -m 64 --no-telemetry \
		--file-prefix="finding$$f" --vdev "net_virtio_user0,path=$1,queues=${2:-1}" -- -i --no-mlockall --total-num-mbufs=4096 \
		--rxq="${2:-1}" --txq="${2:-1}" <"$FOLDER/front" >"$FOLDER/front.log" 2>&1 &
	PIDS+=($!)
	exec 4>"$FOLDER/front"
	for _ in $(seq 200); do grep -q testpmd\> "$FOLDER/front.log" && break; sleep 0.1; done
}

# gro VDEV: testpmd that puts segments of TCP together which come from this port, and writes them to out.pcap of FOLDER when it ends. It
# has a network namespace of its own, of the process NET, and is ready to start by gro_run. Takes root for a tap interface.
gro()
{
	local _
	rm -f "$FOLDER/in" "$FOLDER/log" "$FOLDER/out.pcap"
	mkfifo "$FOLDER/in"
	printf '\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\xff\xff\0\0\1\0\0\0' >"$FOLDER/none.pcap"
	unshare --net sleep 100 & NET=$!
	PIDS+=($NET)
	sleep 0.5
	nsenter --target $NET --net stdbuf -oL dpdk-testpmd -d librte_net_pcap.so.23 -d librte_net_tap.so.23 --no-pci --no-huge -m 64 \
		--no-telemetry --file-prefix="finding$$" --vdev "$1" \
		--vdev "net_pcap1,rx_pcap=$FOLDER/none.pcap,tx_pcap=$FOLDER/out.pcap" -- -i --no-mlockall --no-flush-rx \
		--total-num-mbufs=2048 <"$FOLDER/in" >"$FOLDER/log" 2>&1 &
	TESTPMD=$!
	PIDS+=($TESTPMD)
	exec 3>"$FOLDER/in"
	printf '%s\n' "port stop all" "set port 0 gro on" "set gro flush 1" "csum set ip sw 1" "csum set tcp sw 1" "port start all" \
		"set fwd csum" >&3
	for _ in $(seq 200); do grep -q "Set csum packet" "$FOLDER/log" && break; sleep 0.1; done
}

# gro_send: what is in in.pcap of FOLDER goes out of the interface finding0 of that namespace, and so into its port, where it waits.
gro_send()
{
	in_net $NET ip link set finding0 up
	in_net $NET /usr/bin/python3 - "$FOLDER/in.pcap" 2>/dev/null <<'END'
import socket, sys
from scapy.all import RawPcapReader
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("finding0", 0))
for packet, _ in RawPcapReader(sys.argv[1]):
    out.send(packet)
END
}

gro_run()
{
	echo start >&3
	sleep 2
	printf '%s\n' stop quit >&3
	wait $TESTPMD
}

# capture OPTION...: dpdk-dumpcap with these, into seen.pcapng of FOLDER, of a testpmd that receives 64 frames of EtherType 0x88b5 in
# two bursts, from a tap interface in a network namespace of its own; returns when it has ended. Takes root and huge pages.
capture()
{
	local _ net dumpcap
	mkdir "$FOLDER/none"
	mkfifo "$FOLDER/in"
	unshare --net sleep 100 & net=$!
	PIDS+=($net)
	sleep 0.5
	in_net $net sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'	# no other frames
	nsenter --target $net --net stdbuf -oL dpdk-testpmd -d librte_mempool_ring.so.23 -d librte_net_tap.so.23 --no-pci -m 32 \
		--no-telemetry --file-prefix="finding$$" --vdev net_tap0,iface=finding0 -- -i --no-mlockall --total-num-mbufs=2048 \
		<"$FOLDER/in" >"$FOLDER/log" 2>&1 &
	PIDS+=($!)
	exec 3>"$FOLDER/in"
	echo "set fwd rxonly" >&3
	for _ in $(seq 200); do grep -q "Set rxonly" "$FOLDER/log" && break; sleep 0.1; done
	# It takes no options of EAL, and must neither look at the devices of the machine nor number the drivers of mempools otherwise
	# than testpmd does, which is linked with one of them.
	LD_PRELOAD="librte_mempool_ring.so.23 librte_mempool_dpaa.so.23" SYSFS_PCI_DEVICES=$FOLDER/none timeout 20 dpdk-dumpcap \
		--file-prefix="finding$$" -i net_tap0 "$@" -w "$FOLDER/seen.pcapng" >"$FOLDER/dumpcap" 2>&1 &
	dumpcap=$!
	for _ in $(seq 150); do [ -s "$FOLDER/seen.pcapng" ] && break; sleep 0.1; done
	sleep 1
	# They wait in the interface until testpmd starts.
	in_net $net ip link set finding0 up
	in_net $net /usr/bin/python3 -c 'import socket
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("finding0", 0))
for _ in range(64):
    out.send(bytes.fromhex("020000000002 020000000001 88b5") + bytes(46))'
	echo start >&3
	wait $dumpcap
}

# passt_guest PASST LIBC DEVARGS: a guest of passt, of these versions of Debian's packages passt and libc6, in network namespaces
# of this script's own: the interface "inner" of the process GUEST, which testpmd forwards to net_virtio_user with these device
# arguments. 192.0.2.1 is 127.0.0.1 of the process HOST. Takes root.
passt_guest()
{
	local lib=$FOLDER/passt/usr/lib/x86_64-linux-gnu name
	VERSION=$1
	unpack_passt "passt/passt_$1" "glibc/libc6_$2"
	chmod 755 "$FOLDER"
	mkdir -m 777 "$FOLDER/sockets"
	unshare --net sleep 600 & HOST=$!
	unshare --net sleep 600 & GUEST=$!
	PIDS+=($HOST $GUEST)
	sleep 0.5
	in_net $HOST sh -c 'ip link set lo up; ip tuntap add out mode tap; ip addr add 192.0.2.2/24 dev out; ip link set out up
		ip route add default via 192.0.2.1'
	# No function: what runs in the background must be the program itself, to be ended.
	nsenter --target $HOST --net "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$FOLDER/passt/usr/bin/passt" --vhost-user --foreground \
		--ipv4-only --socket "$FOLDER/sockets/s" >"$FOLDER/passt.log" 2>&1 &
	PIDS+=($!)
	for _ in $(seq 100); do [ -S "$FOLDER/sockets/s" ] && break; sleep 0.1; done
	mkfifo "$FOLDER/in"
	nsenter --target $GUEST --net dpdk-testpmd -d librte_net_virtio.so.23 -d librte_net_tap.so.23 --no-pci --in-memory --single-file-segments \
		-m 96 --no-telemetry --file-prefix="finding$$" --vdev "net_virtio_user0,path=$FOLDER/sockets/s,$3" \
		--vdev net_tap0,iface=inner -- -i --no-mlockall --total-num-mbufs=8192 \
		<"$FOLDER/in" >"$FOLDER/log" 2>&1 &
	PIDS+=($!)
	exec 3>"$FOLDER/in"
	echo "set burst tx delay 1 retry 100000" >&3
	echo "set fwd io retry" >&3
	echo start >&3
	for _ in $(seq 100); do grep -q "io packet forwarding" "$FOLDER/log" && break; sleep 0.1; done
	in_net $GUEST sh -c 'ip addr add 192.0.2.2/24 dev inner; ip link set inner up; ip route add default via 192.0.2.1'
}

in_net() { nsenter --target "$1" --net "${@:2}"; }

# unpack_passt PATH_VERSION...: of Debian's pool, into a folder of their own: they bring another libc.
unpack_passt()
{
	local file
	for file in "$@"; do
		curl -sf -o "$FOLDER/p.deb" "http://deb.debian.org/debian/pool/main/${file:0:1}/${file}_amd64.deb" || {
			echo "${file#*/} is not in Debian's archive any more" >&2
			exit 77
		}
		dpkg-deb -x "$FOLDER/p.deb" "$FOLDER/passt"
	done
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
