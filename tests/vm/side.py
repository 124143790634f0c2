# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Network namespaces of the guest, each with one interface, that talk to each other through ports of DPDK."""
import re

from testpmd import wait_for


class Side:
    """An interface of the guest's kernel, in a namespace of its own."""

    def __init__(self, vm, device, address):
        self.vm, self.device, self.address = vm, device, address
        self.pid = self.vm.check("unshare -n sleep 100000 </dev/null >/dev/null 2>&1 & pid=$!\n"
            "while [ $(readlink /proc/$pid/ns/net) = $(readlink /proc/self/ns/net) ]; do usleep 9999; done\n"
            "ip link set %s netns $pid; echo $pid" % self.device).strip()
        # What is on its way must fit into what lies between: nothing holds its sender back.
        self.run("echo 4096 131072 262144 >/proc/sys/net/ipv4/tcp_rmem\n"
            "echo 1 >/proc/sys/net/ipv6/conf/%s/disable_ipv6\n"
            "ip address add %s/24 dev %s; ip link set %s up" % (self.device, address, self.device,
            self.device))

    def run(self, script, seconds=60):
        return self.vm.check("nsenter -t %s -n sh -e <<'END'\n%s\nEND" % (self.pid, script), seconds)

    def packets(self):
        """{"rx" or "tx": packets}"""
        numbers = re.search(r"%s:(.*)" % self.device, self.run("cat /proc/net/dev")).group(1).split()
        return {"rx": int(numbers[1]), "tx": int(numbers[9])}

    def end(self):
        self.vm.check("kill " + self.pid)


def send(source, sink, port, megabytes):
    """A file by TCP; both must have the same checksum."""
    vm = source.vm
    vm.check("dd if=/dev/urandom of=/tmp/sent bs=1M count=%d 2>/dev/null" % megabytes)
    # nc ends with its input: this one has no end.
    vm.check("rm -f /tmp/idle; mkfifo /tmp/idle")
    sink.run("nc -l -p %d <>/tmp/idle >/tmp/got 2>/dev/null &" % port)
    wait_for(lambda: ":%04X " % port in sink.run("cat /proc/net/tcp /proc/net/tcp6"), 10,
        "a listening nc")
    source.run("nc %s %d </tmp/sent" % (sink.address, port), 120)
    vm.check("for n in $(seq 100); do cmp -s /tmp/sent /tmp/got && exit; usleep 100000; done; exit 1")
    sums = vm.check("sha256sum </tmp/sent; sha256sum </tmp/got").split()
    assert sums[0] == sums[2], sums
