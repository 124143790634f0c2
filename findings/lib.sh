# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
# shellcheck shell=bash
#
# Sourced by the scripts here: packages of DPDK below a folder that goes away at the end.

VERSION=22.11.11-0+deb12u1
FOLDER=$(mktemp -d)
export FOLDER
PIDS=()
[ -d /run/dpdk ] && KEEP=/run/dpdk || KEEP=
# No program sees a device of the machine, and a user's EAL has its files here, too.
mkdir "$FOLDER/none"
export SYSFS_PCI_DEVICES=$FOLDER/none XDG_RUNTIME_DIR=$FOLDER
# An installed DPDK loads all its drivers by itself; one that is unpacked is told of each.
TESTPMD=(dpdk-testpmd --no-pci -d librte_mempool_ring.so.23)

finish()
{
	local pid
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	rm -rf "$FOLDER"
	rm -rf "/run/dpdk/finding$$" "/run/dpdk/finding$$"[a-z] "/dev/hugepages/finding$$"map_* 2>/dev/null
	[ -n "$KEEP" ] || rmdir /run/dpdk 2>/dev/null
}
trap finish EXIT

refuse() { echo "$1" >&2; exit 77; }

# need [tap] [NUMBER]: root, and tap interfaces in network namespaces, and so many free huge pages of 2 MiB.
need()
{
	local what free
	[ "$(id -u)" = 0 ] || refuse "takes root"
	for what in "$@"; do
		if [ "$what" = tap ]; then
			unshare --net sh -c ': <>/dev/net/tun' 2>/dev/null || refuse "takes network namespaces and /dev/net/tun"
		else
			[ "$(stat -f -c %T /dev/hugepages 2>/dev/null)" = hugetlbfs ] || refuse "takes huge pages in /dev/hugepages"
			read -r free </sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages
			[ "$free" -ge "$what" ] || refuse "takes $what huge pages of 2 MiB, and $free are free"
		fi
	done
}

# unpack PACKAGE...: exactly VERSION of each, and of what they, ip and scapy take those packages that this machine has not; all their
# programs and libraries in PATH, LD_LIBRARY_PATH and PYTHONPATH. Nothing is installed.
unpack()
{
	local root=$FOLDER/root deb
	mkdir -p "$FOLDER/debs/partial"
	if ! apt-get install -qq -y --download-only --reinstall --allow-downgrades --no-install-recommends -o Debug::NoLocking=1 \
		-o Dir::Cache::Archives="$FOLDER/debs" -o Dir::State::extended_states="$FOLDER/states" "${@/%/=$VERSION}" iproute2 \
		python3-scapy >"$FOLDER/apt" 2>&1 || ! ls "$FOLDER"/debs/*.deb >/dev/null 2>&1; then
		refuse "$* $VERSION cannot be had from this machine's sources after apt-get update: $(grep -m 1 ^E: "$FOLDER/apt")"
	fi
	for deb in "$FOLDER"/debs/*.deb; do
		dpkg-deb -x "$deb" "$root" || refuse "no room in $FOLDER for $* and what they take"
	done
	rm -r "$FOLDER/debs"
	export PATH=$root/usr/bin:$root/bin:$root/usr/sbin:$root/sbin:$PATH PYTHONPATH=$root/usr/lib/python3/dist-packages
	export LD_LIBRARY_PATH=$root/usr/lib/$HOSTTYPE-linux-gnu:$root/lib/$HOSTTYPE-linux-gnu
}

# net_vhost SOCKET [QUEUES]: testpmd with net_vhost, of one queue pair unless told, as the server there; its commands are read from
# descriptor 3.
net_vhost()
{
	mkfifo "$FOLDER/in"
	stdbuf -oL "${TESTPMD[@]}" -d librte_net_vhost.so.23 --no-huge -m 64 --file-prefix="finding$$" \
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
	stdbuf -oL "${TESTPMD[@]}" -d librte_net_virtio.so.23 --in-memory --single-file-segments -m 64 --no-telemetry \
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
	nsenter --target $NET --net stdbuf -oL "${TESTPMD[@]}" -d librte_net_pcap.so.23 -d librte_net_tap.so.23 --no-huge -m 64 \
		--no-telemetry --file-prefix="finding$$" --vdev "$1" \
		--vdev "net_pcap1,rx_pcap=$FOLDER/none.pcap,tx_pcap=$FOLDER/out.pcap" -- -i --no-mlockall --no-flush-rx \
		--total-num-mbufs=2048 <"$FOLDER/in" >"$FOLDER/log" 2>&1 &
	GRO=$!
	PIDS+=($GRO)
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
	wait $GRO
}

# capture OPTION...: dpdk-dumpcap with these, into seen.pcapng of FOLDER, of a testpmd that receives 64 frames of EtherType 0x88b5 in
# two bursts, from a tap interface in a network namespace of its own; returns when it has ended. Takes root and huge pages.
capture()
{
	local _ net dumpcap
	mkfifo "$FOLDER/in"
	unshare --net sleep 100 & net=$!
	PIDS+=($net)
	sleep 0.5
	in_net $net sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'	# no other frames
	nsenter --target $net --net stdbuf -oL "${TESTPMD[@]}" -d librte_net_tap.so.23 -m 32 \
		--no-telemetry --file-prefix="finding$$" --vdev net_tap0,iface=finding0 -- -i --no-mlockall --total-num-mbufs=2048 \
		<"$FOLDER/in" >"$FOLDER/log" 2>&1 &
	PIDS+=($!)
	exec 3>"$FOLDER/in"
	echo "set fwd rxonly" >&3
	for _ in $(seq 200); do grep -q "Set rxonly" "$FOLDER/log" && break; sleep 0.1; done
	# It takes no options of EAL that would load the driver of the port, and must not number the drivers of mempools otherwise than
	# testpmd does, which is linked with one of them.
	LD_PRELOAD="librte_net_tap.so.23 librte_mempool_ring.so.23 librte_mempool_dpaa.so.23" timeout 20 dpdk-dumpcap \
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
	local lib=$FOLDER/passt/usr/lib/x86_64-linux-gnu passt
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
	passt=$!
	for _ in $(seq 100); do [ -S "$FOLDER/sockets/s" ] && break; sleep 0.1; done
	mkfifo "$FOLDER/in"
	nsenter --target $GUEST --net "${TESTPMD[@]}" -d librte_net_virtio.so.23 -d librte_net_tap.so.23 --in-memory --single-file-segments \
		-m 96 --no-telemetry --file-prefix="finding$$" --vdev "net_virtio_user0,path=$FOLDER/sockets/s,$3" \
		--vdev net_tap0,iface=inner -- -i --no-mlockall --total-num-mbufs=8192 \
		<"$FOLDER/in" >"$FOLDER/log" 2>&1 &
	PIDS+=($!)
	exec 3>"$FOLDER/in"
	echo "set burst tx delay 1 retry 100000" >&3
	echo "set fwd io retry" >&3
	echo start >&3
	for _ in $(seq 100); do grep -q "io packet forwarding" "$FOLDER/log" && break; sleep 0.1; done
	# It takes a user namespace, which is not to be had in a chroot.
	kill -0 $passt 2>/dev/null || refuse "passt does not run here: $(tail -n 1 "$FOLDER/passt.log")"
	in_net $GUEST sh -c 'ip addr add 192.0.2.2/24 dev inner; ip link set inner up; ip route add default via 192.0.2.1'
}

in_net() { nsenter --target "$1" --net "${@:2}"; }

# unpack_passt PATH_VERSION...: of Debian's pool, into a folder of their own: they bring another libc.
unpack_passt()
{
	local file
	for file in "$@"; do
		curl -sf -o "$FOLDER/p.deb" "http://deb.debian.org/debian/pool/main/${file:0:1}/${file}_amd64.deb" ||
			refuse "${file#*/} cannot be had from deb.debian.org"
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
