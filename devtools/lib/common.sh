# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the scripts that source this file
#
# What the scripts of devtools/ have in common. Sourced, never run.

# Each of them answers --help with the comment at its head.
case ${1-} in
-h | --help)
	sed -n '5,/^$/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

SLUICE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SLUICE_BUILD=${SLUICE_BUILD:-$SLUICE_ROOT/build}
case $SLUICE_BUILD in
/*) ;;
*) SLUICE_BUILD=$PWD/$SLUICE_BUILD ;;
esac

# Debian's modules (pytest, scapy) belong to Debian's interpreter; PATH may name another one first.
PYTHON=/usr/bin/python3

# The driver headers that distributions leave out of their DPDK packages, and where the DPDK source has them.
SDK_HEADERS="lib/ethdev/ethdev_driver.h lib/ethdev/ethdev_pci.h lib/ethdev/ethdev_vdev.h lib/ethdev/rte_flow_driver.h
	lib/eal/include/bus_driver.h lib/eal/include/dev_driver.h
	drivers/bus/pci/bus_pci_driver.h drivers/bus/vdev/bus_vdev_driver.h"
# DPDK's own example programs that the tests run over the driver; the folders build by themselves.
SDK_EXAMPLES="examples/common examples/common/neon examples/common/sse examples/ip_fragmentation examples/ip_reassembly
	examples/l2fwd examples/l3fwd examples/l3fwd-power examples/multi_process/symmetric_mp examples/qos_meter examples/skeleton"

# The newer DPDK that devtools/test tries, one of those that devtools/lib/newerdpdk.py knows, and where that puts it.
NEWER_RELEASE=25.11
NEWER=$SLUICE_ROOT/.cache/dpdk-$NEWER_RELEASE

# Where devtools/setup unpacks the demo's DPDK while none is installed, and what PKG_CONFIG_PATH names then.
UNPACKED=$SLUICE_ROOT/.cache/dpdk
unpacked_path() { echo "$UNPACKED"/usr/lib/*/pkgconfig; }

# Options of builds that are made once. Precompiled headers save time there; with ccache they cost time, as it keeps
# nothing that is compiled with them. Meson takes ccache by itself only where it chooses the compiler: not in build_tree.
ONCE=(-Dpch=true)
case $(readlink -f "$(command -v ${GCC:-gcc} | head -n 1)") in
*/ccache) ONCE=() ;;
esac

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# refuse TEXT: of words that a script was given and has no use for.
refuse()
{
	echo "${0##*/}: $*; --help says more" >&2
	exit 2
}

# build_tree DIR COMPILER [MESON OPTION...]: configure when that was not done yet, then build all, or the
# words of $TARGETS.
build_tree()
{
	local dir=$1 cc=$2
	shift 2
	if [ ! -f "$dir/build.ninja" ]; then
		# A folder that a failed configuration left behind cannot be continued.
		rm -rf "$dir/meson-private" "$dir/meson-info" "$dir/meson-logs"
		CC=$cc meson setup "$dir" "$SLUICE_ROOT" "$@" || return 1
	elif [ -n "$(find "$SLUICE_ROOT/.sdk" -name PACKAGE -newer "$dir/build.ninja" 2>/dev/null)" ]; then
		# What devtools/setup has fetched since: the examples.
		meson setup --reconfigure "$dir" "$SLUICE_ROOT" || return 1
	fi
	# shellcheck disable=SC2086 # words
	ninja -C "$dir" ${TARGETS-}
}

# quiet_build [MESON OPTION...]: builds $SLUICE_BUILD for a script that shows other things. What takes long is told, and how
# the log ends where it fails.
quiet_build()
{
	local name=build/logs/${0##*/}-build.log
	mkdir -p "$SLUICE_ROOT/build/logs"
	[ -f "$SLUICE_BUILD/drivers/librte_net_sluice.so" ] ||
		echo "${0##*/}: builds first, which takes one to four minutes; $name shows how far it is" >&2
	build_tree "$SLUICE_BUILD" "${GCC:-gcc}" "$@" >"$SLUICE_ROOT/$name" 2>&1 && return
	tail -n 40 "$SLUICE_ROOT/$name" >&2
	die "the build failed: $name"
}
