# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Calls of ethdev in any order, of a port that is polled while its back end comes and goes (app/any_order.c). The same seed makes
the same calls; one that failed stays in SEEDS. And the same while the driver does not get what it asks of the C library, the
kernel and EAL (shim/shortage.c): now and then anything, or one thing not at all.

SLUICE_TEST_ORDERS=N: so many seeds more, for each layout."""
import os
import re

import pytest

from figures import run_app
from test_environment import build_shim
from testpmd import PLUGIN, REPO

pytestmark = pytest.mark.sluice
SEEDS = [1] + list(range(1000, 1000 + int(os.environ.get("SLUICE_TEST_ORDERS", "0"))))
CALLS = 300
LAYOUTS = ["packed_vq=1", "packed_vq=0,isolation=copy", "packed_vq=1,isolation=sealed,bounce=1,dma_debug=1"]
LAYOUT_NAMES = ["packed", "split-copy", "packed-sealed"]


def things():
    """What may be short: functions that the plug-in calls, whatever release it is built for."""
    with open(os.path.join(REPO, "tests", "pmd", "shim", "shortage.c"), encoding="ascii") as file:
        names = re.findall(r"^SHORT\((\w+),", file.read(), re.M)
    with open(PLUGIN, "rb") as file:
        plugin = file.read()
    return [name for name in names if b"\0%s\0" % name.encode() in plugin]


def call(folder, devargs, seed, calls=CALLS):
    path = os.path.join(folder, "v.sock")
    found = run_app("any_order", [], [seed, calls, "iface=%s,queues=3,client=1" % path, "path=%s,server=1,queues=3,%s" % (path, devargs)])
    assert found["received"] > 1000 and found["backs"] > 0, found
    return found


@pytest.mark.parametrize("devargs", LAYOUTS, ids=LAYOUT_NAMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_any_order(folder, devargs, seed):
    call(folder, devargs, seed)


@pytest.mark.parametrize("devargs", LAYOUTS, ids=LAYOUT_NAMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_short_of_anything(folder, monkeypatch, devargs, seed):
    monkeypatch.setenv("LD_PRELOAD", build_shim(folder, "shortage"))
    monkeypatch.setenv("SHORT_ONE_IN", "12")
    assert call(folder, devargs, seed)["failed"] > 0


@pytest.mark.parametrize("name", things())
def test_short_of_one_thing(folder, monkeypatch, name):
    """What a start would need is there at the end, and nothing is left of the tries before."""
    monkeypatch.setenv("LD_PRELOAD", build_shim(folder, "shortage"))
    monkeypatch.setenv("SHORT_ONE_IN", "1")
    monkeypatch.setenv("SHORT_OF", name)
    assert call(folder, "isolation=none" if "memzone" in name else "packed_vq=1", 3, 120)["failed"] > 0
