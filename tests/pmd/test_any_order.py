# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Calls of ethdev in any order, of a port that is polled while its back end comes and goes (app/any_order.c). The same seed makes
the same calls; one that failed stays in SEEDS.

SLUICE_TEST_ORDERS=N: so many seeds more, for each layout."""
import os

import pytest

from figures import run_app

pytestmark = pytest.mark.sluice
SEEDS = [1] + list(range(1000, 1000 + int(os.environ.get("SLUICE_TEST_ORDERS", "0"))))
CALLS = 300
LAYOUTS = ["packed_vq=1", "packed_vq=0,isolation=copy", "packed_vq=1,isolation=sealed,bounce=1,dma_debug=1"]


@pytest.mark.parametrize("devargs", LAYOUTS, ids=["packed", "split-copy", "packed-sealed"])
@pytest.mark.parametrize("seed", SEEDS)
def test_any_order(folder, devargs, seed):
    path = os.path.join(folder, "v.sock")
    found = run_app("any_order", [], [seed, CALLS, "iface=%s,queues=3,client=1" % path, "path=%s,server=1,queues=3,%s" % (path, devargs)])
    assert found["received"] > 1000 and found["backs"] > 0, found
