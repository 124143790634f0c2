# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
import os
import shutil

import pytest

from guest import DRIVER, IS_SLUICE, PLUGIN
from machine import Guest
from undertest import register


def missing():
    """What keeps the whole suite from running, or None."""
    if not shutil.which("qemu-system-x86_64"):
        return "no qemu-system-x86_64: run devtools/setup"
    if not os.path.exists("/bin/busybox"):
        return "no busybox: run devtools/setup"
    if not IS_SLUICE:
        return None
    if not os.path.exists(PLUGIN):
        return "%s is not built" % PLUGIN
    with open(PLUGIN, "rb") as file:
        if b"net_sluice_pci" not in file.read():
            return "the plug-in has no PCI port"
    return None


def pytest_configure(config):
    register(config, DRIVER, IS_SLUICE, missing)


class Running:
    """At most one guest at a time; the tests of one machine follow each other."""

    def __init__(self):
        self.guest = None

    def get(self, machine):
        if self.guest and (self.guest.machine is not machine or self.guest.vm.process.poll() is not None):
            self.stop()
        if not self.guest:
            self.guest = Guest(machine)
        return self.guest

    def stop(self):
        guest, self.guest = self.guest, None
        if guest:
            guest.stop()


@pytest.fixture(scope="session")
def running():
    guests = Running()
    yield guests
    guests.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    setattr(item, "report_" + outcome.get_result().when, outcome.get_result())


@pytest.fixture
def boot(running, request):
    """boot(machine): the guest of a machine, started unless it runs. What testpmds are left end with
    the test; after a failure the guest is not trusted any more."""
    used = []

    def get(machine):
        if machine.missing():
            pytest.skip(machine.missing())
        used.append(running.get(machine))
        return used[-1]
    yield get
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        for guest in used[-1:]:
            print(guest.vm.logs())
            print(guest.vm.run("dmesg | tail -n 20", 20)[1].decode(errors="replace")
                if guest.vm.process.poll() is None else "QEMU has ended")
        running.stop()
    else:
        for guest in used:
            guest.after_test()
