# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Suricata as an inline IPS between two ports of the driver, with the newer DPDK that devtools/setup fetched: what its rule is for
is dropped, and every byte of all else comes out of the other side. Both of its neighbours die and come back, and so does it."""
import os

import pytest

from frames import l4_layers, packet, read_pcap, write_pcap
from test_environment import build_shim
from testpmd import BUILD, Deadline, Died, Testpmd, wait_for

TREE = os.environ.get("SLUICE_TEST_NEWER", "")
pytestmark = [pytest.mark.sluice, pytest.mark.skipif(not TREE,
    reason="devtools/test newer runs it, with the plug-in that it builds")]
COUNT = 200         # less than any ring on the way holds
PROBE = bytes(packet(1001, l4_layers()))    # some may be late
CONFIG = """\
%YAML 1.1
---
unix-command: {{enabled: no}}
stats: {{enabled: no}}
outputs: []
logging: {{outputs: [{{console: {{enabled: yes}}}}]}}
classification-file: {tree}/suricata/classification.config
reference-config-file: {tree}/suricata/reference.config
threshold-file: {tree}/suricata/threshold.config
exception-policy: ignore
threading:
  set-cpu-affinity: yes
  cpu-affinity:
    management-cpu-set: {{cpu: [0]}}
    worker-cpu-set: {{cpu: ["1-2"], mode: exclusive}}
dpdk:
  eal-params:
    proc-type: primary
    vdev: ["net_sluice0,path={sockets[0]}", "net_sluice1,path={sockets[1]}"]
    d: [librte_mempool_ring.so.26, librte_bus_vdev.so.26, librte_net_sluice.so]
    no-pci:
    iova-mode: va
    in-memory:
    single-file-segments:
    no-telemetry:
    file-prefix: {prefix}
    m: 64
  interfaces:
"""
INTERFACE = """\
    - {{interface: net_sluice{0}, copy-iface: net_sluice{1}, copy-mode: ips, threads: 1, checksum-checks: false,
       checksum-checks-offload: false, mempool-size: 4095, mempool-cache-size: 250, rx-descriptors: 1024, tx-descriptors: 1024}}
"""
RULE = 'drop udp any any -> any 2000 (msg:"not this one"; sid:1;)\n'


def is_dropped(frame):
    """UDP over IPv4 is the one of l4_layers() that goes to port 2000."""
    return frame[12:14] == b"\x08\x00" and frame[23] == 17


class Suricata(Testpmd):
    def __init__(self, folder, sockets, shim):
        self.name = "suricata"
        self.prefix = "sluice_suricata_%d_%d" % (os.getpid(), id(self))
        run, config, rules = TREE + "/run", os.path.join(folder, "suricata.yaml"), os.path.join(folder, "rules")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(tree=TREE, sockets=sockets, prefix=self.prefix)
                + INTERFACE.format(0, 1) + INTERFACE.format(1, 0))
        with open(rules, "w", encoding="ascii") as file:
            file.write(RULE)
        self.launch([run + "/ld-linux-x86-64.so.2", "--preload", shim, "--library-path", run + ":" + BUILD + "/drivers",
            run + "/suricata", "-c", config, "-S", rules, "-l", folder, "--dpdk"], False)
        try:
            wait_for(lambda: "Engine started" in self.log() or self.process.poll() is not None, 60, "Suricata")
        except Deadline:
            self.kill()
            raise self.trouble(Deadline, "did not start") from None
        if self.process.poll() is not None:
            self.kill()
            raise self.trouble(Died, "ended (%d)" % self.process.returncode)


class Inline:
    """in0.pcap -> net_vhost0 -> net_sluice0 -> Suricata -> net_sluice1 -> net_vhost1 -> out1.pcap, and from in1 to out0"""

    def __init__(self, folder):
        self.folder = folder
        self.sockets = [os.path.join(folder, name) for name in ("a.sock", "b.sock")]
        self.shim = build_shim(folder, "four_cpus")
        self.back = self.suricata = None
        self.start_back()
        self.start_suricata()

    def pcap(self, way, side):
        return os.path.join(self.folder, "%s%d.pcap" % (way, side))

    def start_back(self):
        for side in (0, 1):
            write_pcap(self.pcap("in", side), [])
        self.back = Testpmd([text for side in (0, 1) for text in ("net_vhost%d,iface=%s" % (side, self.sockets[side]),
            "net_pcap%d,rx_pcap=%s,tx_pcap=%s" % (side, self.pcap("in", side), self.pcap("out", side)))])
        self.back.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry")

    def start_suricata(self):
        self.suricata = Suricata(self.folder, self.sockets, self.shim)

    def play(self, frames, is_done, seconds):
        """Sends frames into each side until is_done()."""
        for side, port in ((0, 1), (1, 3)):
            write_pcap(self.pcap("in", side), frames[side])
            self.back.cmds("port stop %d" % port, "port start %d" % port)   # reads the file again, and empties the other one
        self.back.cmd("start")
        try:
            wait_for(is_done, seconds, "frames through Suricata")
        finally:
            self.back.stop()

    def received(self):
        """What came out so far of what went into side 0, and of what went into side 1, without probes"""
        return [[frame for frame in read_pcap(self.pcap("out", side), partial=True) if frame != PROBE] for side in (1, 0)]

    def passes(self):
        """A frame each way already? The first ones meet ports that come up, and pools that they have not seen."""
        try:
            self.play([[PROBE]] * 2, lambda: all(read_pcap(self.pcap("out", side), partial=True) for side in (0, 1)), 0.5)
        except Deadline:
            return False
        return True

    def check(self):
        """One packet in four is what the rule drops."""
        for port in (0, 2):
            wait_for(lambda p=port: self.back.link_up(p), 20, "a link")
        wait_for(self.passes, 30, "a frame each way through Suricata")
        layers = l4_layers()
        frames = [[bytes(packet(side + n, layers)) for n in range(COUNT)] for side in (0, 1)]
        wanted = [[frame for frame in one if not is_dropped(frame)] for one in frames]
        self.play(frames, lambda: all(len(one) >= COUNT * 3 // 4 for one in self.received()), 20)
        assert self.received() == wanted

    def restart_back(self):
        self.back.kill()
        for path in self.sockets:
            os.unlink(path)     # lib/vhost does not listen where a file is
        self.start_back()

    def restart_suricata(self):
        self.suricata.kill()
        self.start_suricata()

    def kill(self):
        for one in (self.suricata, self.back):
            if one is not None:
                one.kill()
                print(one.log()[-6000:])    # which is shown of a test that failed


def test_inline(folder):
    inline = Inline(folder)
    try:
        inline.check()
        inline.restart_back()
        inline.check()
        inline.restart_suricata()
        inline.check()
    finally:
        inline.kill()
