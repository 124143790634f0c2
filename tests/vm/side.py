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


def send(source, sink, port, megabytes, streams=1):
    """A file by TCP, in as many streams at once, on ports from port on; what comes out of each is the file, bit by bit."""
    vm = source.vm
    ports = "$(seq %d %d)" % (port, port + streams - 1)

    def listening():
        sockets = sink.run("cat /proc/net/tcp /proc/net/tcp6")
        return all(":%04X " % (port + n) in sockets for n in range(streams))
    # nc ends with its input: this one has no end.
    vm.check("dd if=/dev/urandom of=/tmp/sent bs=1M count=%d 2>/dev/null\n"
        "rm -f /tmp/idle /tmp/same-*; mkfifo /tmp/idle" % megabytes)
    sink.run("for n in %s; do (nc -l -p $n <>/tmp/idle | cmp - /tmp/sent && >/tmp/same-$n) >/dev/null 2>&1 & done" % ports)
    wait_for(listening, 10, "a listening nc")
    source.run("for n in %s; do nc %s $n </tmp/sent & done; wait" % (ports, sink.address), 120 + megabytes * streams)
    wait_for(lambda: int(vm.check("ls /tmp | grep -c same- || true")) == streams, 10, "%d streams without an error" % streams)
