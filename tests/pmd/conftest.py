# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
import os
import shutil
import signal
import tempfile

import pytest

from fake_backend import FakeBackend
from pair import Pair
from testpmd import IS_SLUICE, PLUGIN, TESTPMD, VDEV, Testpmd, lacks_hugepages
from undertest import register


def missing():
    """What keeps the whole suite from running, or None."""
    if os.geteuid() != 0:
        return "needs root (hugepages)"
    if not TESTPMD or not os.access(TESTPMD, os.X_OK):
        return "no dpdk-testpmd: run devtools/setup"
    if IS_SLUICE and not os.path.exists(PLUGIN):
        return "%s is not built" % PLUGIN
    return lacks_hugepages()


def pytest_configure(config):
    # A shell's jobs in the background ignore it, and so would each program that is started here.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    register(config, VDEV, IS_SLUICE, missing)


@pytest.fixture
def folder():
    """Short, because a Unix socket's path is limited to 107 bytes."""
    path = tempfile.mkdtemp(prefix="slu")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_pair(request):
    """A running pair for all tests of a module with the same configuration."""
    path = tempfile.mkdtemp(prefix="slu")
    try:
        pair = Pair(request.param, path)
        yield pair
        pair.close()
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def new_pair(folder):
    """Starts pairs for one test; closed, with every mbuf accounted for, unless the test did it."""
    pairs = []

    def start(config, **how):
        pairs.append(Pair(config, folder, **how))
        return pairs[-1]
    yield start
    for pair in pairs:
        pair.kill()


@pytest.fixture
def testpmds():
    """Starts single testpmds that end with the test."""
    running = []

    def start(*args, **kwargs):
        running.append(Testpmd(*args, **kwargs))
        return running[-1]
    yield start
    for process in running:
        process.kill()


@pytest.fixture
def fake(folder):
    """Starts scripted back ends that end with the test."""
    running = []

    def start(name="f.sock", **how):
        running.append(FakeBackend(os.path.join(folder, name), **how))
        return running[-1]
    yield start
    for backend in running:
        backend.close()
