# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What a packet costs in a guest: instructions and MMIO accesses of the burst calls of a PCI port of Sluice
and of one of net_virtio, in one boot.

sluice-bench in the guest marks the calls, a plug-in of QEMU's emulation (tests/vm/plugin/count.c) counts what
lies between the marks: exact, whatever else the machine does. Each device gives back all that it gets.
"""
import json
import os
import shlex
import threading
import time

import vmimage
from benchcount import BURST, last_report, plugin, side_of
from debpkg import Trouble
from vmqemu import Nic, Vm, negotiated_features

DEADLINE_S = 120

# name: (title, properties of the devices, options of sluice-bench). A device that sleeps for 100 ms after it has
# looked does not want to be woken before: a driver need not ring meanwhile.
CASES = {
    "stock": ("stock QEMU features", "", []),
    "scalar": ("stock QEMU features, no SIMD", "", ["--simd", "64"]),
    "packed": ("packed rings", "packed=on", []),
    "asleep": ("stock QEMU features, device sleeps", "tx=timer,x-txtimer=100000000", []),
}


class CostGuest:
    """A guest with two devices per case, of which Sluice gets the first and net_virtio the second."""

    def __init__(self, folder, build, cases=tuple(CASES)):
        self.nics = {(case, side): Nic(CASES[case][1], "loop") for case in cases for side in "ab"}
        os.makedirs(folder, exist_ok=True)
        self.counts = os.path.join(folder, "counts")
        self.vm = Vm(folder, list(self.nics.values()), build=build, cpus=1,
            args=plugin(self.counts))
        self.vm.start()
        self.nb_reports = 0

    def stop(self):
        self.vm.stop()

    def version(self):
        return "{major}.{minor}.{micro}".format(**self.vm.qmp("query-version")["qemu"])

    def features(self, nic):
        """Names of what is negotiated now, None when no driver runs the device."""
        status = self.vm.virtio_status(nic)
        if "DRIVER_OK" not in " ".join(status["status"]["statuses"]):
            return None
        return sorted(negotiated_features(status))

    def run(self, case):
        """The JSON of sluice-bench, the buckets of the plug-in, the features of both devices."""
        nics = [self.nics[(case, side)] for side in "ab"]
        command = ["sluice-bench", "--marks", "--burst", str(BURST), "--json", "/tmp/marks.json",
            "-d", vmimage.PLUGIN, "--a", nics[0].bdf + ",sluice=1", "--b", nics[1].bdf] + CASES[case][2]
        answer, features = [], [None, None]
        worker = threading.Thread(target=lambda: answer.append(self.vm.run(
            shlex.join(command) + " && cat /tmp/marks.json >/tmp/out.json", DEADLINE_S)), daemon=True)
        worker.start()
        while worker.is_alive():
            for i, nic in enumerate(nics):
                features[i] = self.features(nic) or features[i]
            time.sleep(0.1)
        if not answer:
            raise Trouble("the guest ended\n" + self.vm.logs())
        status, data = answer[0]
        if status:
            raise Trouble("%s in the guest: status %d\n%s" % (shlex.join(command), status,
                data.decode(errors="replace")))
        self.nb_reports += 1
        return json.loads(self.vm.check("cat /tmp/out.json")), last_report(self.counts, self.nb_reports), features


def measure_case(guest, case):
    document, buckets, features = guest.run(case)
    row = {"case": case, "title": CASES[case][0], "complete": True, "burst": BURST,
        "machine": dict(document["machine"], qemu=guest.version())}
    row.update((key, document[key]) for key in ("dpdk", "compiler", "when"))
    for number, key in enumerate("ab"):
        row[key] = side_of(document, buckets, key, number)
        row[key]["features"] = features[number]
    only = [sorted(set(features[i] or []) - set(features[1 - i] or [])) for i in (0, 1)]
    row["remark"] = "only A has %s, only B %s" % tuple(
        " ".join(name.replace("VIRTIO_", "") for name in names) or "nothing" for names in only)
    return row


def measure(folder, build, say):
    """One row per case. A case that fails is not complete, and says why."""
    rows = []
    guest = CostGuest(folder, build)
    try:
        for number, case in enumerate(CASES, 1):
            say("guest: %s, %d/%d" % (CASES[case][0], number, len(CASES)))
            rows.append(measure_case(guest, case))
    finally:
        guest.stop()
    return rows


def show(rows):
    """The table."""
    print("%-36s %-4s %25s %8s %25s %14s" % ("64 B, burst 32, queue 256", "",
        "instructions/packet A   B", "B/A", "MMIO writes/packet  A   B", "most/burst A B"))
    for row in rows:
        for way in ("tx", "rx"):
            a, b = row["a"][way], row["b"][way]
            print("%-36s %-4s %16.1f %8.1f %8.2f %16.4f %8.4f %12d %d" % (row["title"], way, a["instructions"],
                b["instructions"], b["instructions"] / a["instructions"], a["mmio_writes"], b["mmio_writes"],
                a["most_mmio_writes"], b["most_mmio_writes"]))
        print("    A: %s, %s; %s" % (row["a"]["tx_mode"], row["a"]["rx_mode"], row["remark"]))
    print("A = net_sluice_pci, B = net_virtio; instructions and MMIO accesses inside the burst calls.")
