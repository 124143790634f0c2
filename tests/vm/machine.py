# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The guests that the tests share, one at a time, and QEMU's verdict about what a driver did."""
import os
import re
import shutil

import vmfetch
import vmvduse
from debpkg import Trouble
from guest import BUILD, IS_SLUICE, ROOT, GuestTestpmd
from vmqemu import GuestDeadline, GuestDied, Nic, Vm, negotiated_features

RESULTS = os.path.join(ROOT, "build", "logs", "vm")

# Of QEMU's own: with rss=on it tries to load a program into the kernel, and hashes by itself where that fails; an
# option that QEMU 11 would have otherwise.
OF_ITS_OWN = re.compile(r"^(?:libbpf: |.*Can't load eBPF RSS - fallback|.*warning: '-mon' is deprecated).*\n", re.M)


class Machine:
    """What a guest is made of. nics: {name: properties, or a Nic}; how: arguments of Vm."""

    def __init__(self, name, nics, **how):
        self.name, self.nics, self.how = name, nics, how

    def __repr__(self):
        return self.name

    def missing(self):
        """What is not on this computer, or None: not everyone can reach Debian's backports."""
        if self.how.get("kernel") == vmfetch.NEW_KERNEL and not vmfetch.newest(vmfetch.NEW_KERNEL):
            return "no kernel %s from Debian's backports: run devtools/setup" % vmfetch.NEW_KERNEL
        if self.how.get("has_vduse") and not os.path.isdir(vmvduse.TREE):
            return "no VDUSE server of Debian's %s: run devtools/setup" % vmvduse.RELEASE
        which = self.how.get("qemu", "qemu-system-x86_64")
        try:
            command, _ = vmfetch.qemu(which)
            # The testing release has another one now and then.
            version = vmfetch.qemu_version(command) if which == "testing" else None
        except Trouble as error:
            return str(error)
        if version and not version.startswith("11.1."):
            return "QEMU %s: what is tested was seen with 11.1 only" % version
        return None


class Guest:
    """A running machine."""

    def __init__(self, machine):
        self.machine = machine
        self.folder = os.path.join(RESULTS, machine.name)
        try:
            self.start()
        except (GuestDied, GuestDeadline) as error:
            # Now and then an emulated kernel ends while it starts its processors. No test has begun by then.
            print("once more, because:", error)
            self.start()
        self.seen = {"guest_errors.log": 0, "qemu.log": 0}
        self.testpmds = []
        self.vm.check("dmesg -n 5")

    def start(self):
        self.nics = {name: nic.copy() if isinstance(nic, Nic) else Nic(nic)
            for name, nic in self.machine.nics.items()}
        shutil.rmtree(self.folder, ignore_errors=True)
        self.vm = Vm(self.folder, list(self.nics.values()), build=BUILD, **self.machine.how)
        self.vm.start()

    def testpmd(self, nics, *args, **how):
        self.testpmds.append(GuestTestpmd(self.vm, [self.nics[n] for n in nics], *args, **how))
        return self.testpmds[-1]

    def program(self, kind, nic, *args):
        """kind: a class for programs in the guest that are no testpmd"""
        self.testpmds.append(kind(self.vm, self.nics[nic], *args))
        return self.testpmds[-1]

    def interrupts(self, nic):
        """{vector: how many so far} of a device that a program has open; INTx is "intx"."""
        count = {}
        for line in self.vm.check("cat /proc/interrupts").splitlines():
            found = re.search(r"vfio-(?:msix\[(\d+)\]|(intx))\(%s\)" % self.nics[nic].bdf, line)
            if found:
                vector = found.group(2) or int(found.group(1))
                count[vector] = sum(int(n) for n in re.match(r"\s*\w+:((?:\s+\d+)+)", line).group(1).split())
        return count

    def features(self, nic):
        """Names of the negotiated features, such as VIRTIO_F_RING_PACKED"""
        return negotiated_features(self.vm.virtio_status(self.nics[nic]))

    def complaints(self):
        """What QEMU wrote about this guest's behaviour since the last time."""
        text = ""
        for name, seen in self.seen.items():
            log = self.vm.read(name)
            self.seen[name] = len(log)
            text += log[seen:]
        return OF_ITS_OWN.sub("", text)

    def verdict(self, *nics):
        """Fails if QEMU has anything to say against the driver of these devices, which still run."""
        # QEMU 11.1 is not asked: it does not always survive that.
        for name in nics if self.machine.how.get("qemu") != "testing" else ():
            status = self.vm.virtio_status(self.nics[name])
            assert not status["broken"], "QEMU: the driver broke device %s: %s" % (name, status)
            states = status["status"]["statuses"]
            text = " ".join(states)
            assert "DRIVER_OK" in text, states
            assert "NEEDS_RESET" not in text and "FAILED" not in text, states
        said = self.complaints()
        assert not said, "QEMU says:\n" + said

    def close(self, testpmd, *nics, stranded=0):
        """Ends a testpmd in order: QEMU's verdict first, then every mbuf must be back in its pool, but those that the driver
        counts as stranded."""
        self.verdict(*nics)
        # Other drivers keep a ring until the close.
        testpmd.cmds("port stop all", "port close all")
        available, size = testpmd.pool()
        assert available == size - stranded, "%d of %d mbufs are in the pool, %d are stranded" % (available, size, stranded)
        testpmd.cmd("port close all")
        available, size = testpmd.pool()
        assert available == size - stranded, "after close %d of %d mbufs are in the pool, %d are stranded" % (
            available, size, stranded)
        testpmd.quit(30)
        said = self.complaints()
        assert not said, "at the end QEMU says:\n" + said

    def after_test(self):
        for process in self.testpmds:
            process.kill()
        self.testpmds = []
        self.complaints()

    def stop(self):
        self.vm.stop()


def negotiated(guest, nic):
    """What the device offers by name must be in use; what it does not cannot be."""
    nic_or_props, features = guest.machine.nics[nic], guest.features(nic)
    props = nic_or_props.props if isinstance(nic_or_props, Nic) else nic_or_props
    assert {"VIRTIO_F_VERSION_1", "VIRTIO_F_IOMMU_PLATFORM"} <= features, features
    assert ("VIRTIO_F_RING_PACKED" in features) == ("packed=on" in props), features
    assert ("VIRTIO_F_IN_ORDER" in features) == ("in_order=on" in props), features
    assert ("VIRTIO_NET_F_MRG_RXBUF" in features) == ("mrg_rxbuf=off" not in props), features
    assert ("VIRTIO_RING_F_INDIRECT_DESC" in features) == ("indirect_desc=off" not in props), features
    if IS_SLUICE:
        assert ("VIRTIO_RING_F_EVENT_IDX" in features) == ("event_idx=off" not in props), features
