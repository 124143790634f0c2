#!/bin/busybox sh
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# The first program of the guest: mounts, modules, then an agent that runs what the host sends.
#
# ttyS0 is the kernel's console, vport0p1 (or another device's number) the agent's line, hvc0 (and hvc1) terminals
# for programs: emulated serial lines lose input when both ways are busy. The agent reads "ID SECONDS
# SCRIPT" (the script in base64), and answers "DONE ID STATUS BYTES" and the output.
# Kernel command line: sluice.modules=NAME,... sluice.nics=BDF,... sluice.bind=DRIVER sluice.terminals=NUMBER

/bin/busybox mount -t proc proc /proc
export PATH=/usr/sbin:/usr/bin HOME=/root TERM=vt100 LC_ALL=C LD_LIBRARY_PATH=/usr/lib/sluice
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
# EAL takes no plug-ins from below a folder that anybody may write to.
chmod 755 /
mkdir -p /dev/pts /dev/hugepages
mount -t devpts devpts /dev/pts
mount -t hugetlbfs -o pagesize=2M hugetlbfs /dev/hugepages
mount -t tracefs tracefs /sys/kernel/tracing
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
# The numbers of a port's receive and transmit memory come to more than the default limit.
ulimit -l unlimited
hostname guest
ip link set lo up

# vm_bind DRIVER BDF...: give devices to a driver, and take them from the one they had.
cat >/usr/bin/vm_bind <<'END'
#!/bin/sh
driver=$1
shift
modprobe "$(echo "$driver" | tr - _)" || exit 1
[ "$driver" != vfio-pci ] || modprobe vfio_iommu_type1 || exit 1
for bdf in "$@"; do
	dev=/sys/bus/pci/devices/$bdf
	[ ! -e "$dev/driver" ] || echo "$bdf" >"$dev/driver/unbind" || exit 1
	echo "$driver" >"$dev/driver_override"
	echo "$bdf" >/sys/bus/pci/drivers_probe
	[ "$(basename "$(readlink "$dev/driver")")" = "$driver" ] && continue
	echo "$bdf: $driver does not take it" >&2
	exit 1
done
END
chmod 755 /usr/bin/vm_bind

nics='' bind='' modules='' terminals=1
for word in $(cat /proc/cmdline); do
	case $word in
	sluice.nics=*) nics=$(echo "${word#*=}" | tr , ' ') ;;
	sluice.bind=*) bind=${word#*=} ;;
	sluice.terminals=*) terminals=${word#*=} ;;
	sluice.modules=*) modules=$(echo "${word#*=}" | tr , ' ') ;;
	esac
done
# shellcheck disable=SC2086 # modules is a list
[ -z "$modules" ] || modprobe -a $modules
# shellcheck disable=SC2086 # nics is a list
[ -z "$bind" ] || [ -z "$nics" ] || vm_bind "$bind" $nics
export SLUICE_NICS="$nics"

modprobe -qa virtio_pci virtio_console
# The terminal's name is there before the terminal, and an open that comes too early spoils it for good.
mount -t debugfs debugfs /sys/kernel/debug
# Another virtio device may be the first one.
until [ -e /dev/vport?p1 ] &&
	[ "$(cat /sys/kernel/debug/virtio-ports/vport?p[2-9] | grep -c '^guest_connected: 1')" = "$terminals" ]; do
	usleep 5000
done 2>/dev/null
# Kept open: a terminal's settings, and what it still has to send, last until the last close.
exec <>"$(echo /dev/vport?p1)" >&0 3<>/dev/hvc0
stty -F /dev/hvc0 raw -echo
if [ "$terminals" = 2 ]; then
	exec 4<>/dev/hvc1
	stty -F /dev/hvc1 raw -echo
fi
echo "READY $(cut -d' ' -f1 /proc/uptime)"
while read -r id seconds script; do
	echo "$script" | base64 -d >/tmp/agent.script
	timeout -s KILL "$seconds" sh /tmp/agent.script >/tmp/agent.output 2>&1 </dev/null
	status=$?
	echo "DONE $id $status $(stat -c %s /tmp/agent.output)"
	cat /tmp/agent.output
done
poweroff -f
