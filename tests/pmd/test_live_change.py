# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Changes to a port that carries traffic (app/live_change.c): queues that restart or are set up anew, settings that come in
thousands. Nothing is lost, nothing leaks.

SLUICE_TEST_CHANGES=full: 10,000 toggles of promiscuous mode and 1,000 redirection tables, where it is otherwise a
tenth of each."""
import os

import pytest

from figures import run_app

pytestmark = pytest.mark.sluice
SHARE = 1 if os.environ.get("SLUICE_TEST_CHANGES") == "full" else 10
QUEUE_US = 1000  # from call to return, of a stop and a start in both directions
LAYOUTS = pytest.mark.parametrize("devargs", ["packed_vq=1", "packed_vq=0", "packed_vq=0,isolation=copy", "packed_vq=0,dma_debug=1"])


def change(folder, what, count, devargs="packed_vq=1"):
    """Its figures; what came back has come whole and in order, and all is as it was."""
    path = os.path.join(folder, "v.sock")
    found = run_app("live_change", ["net_vhost0,iface=%s,queues=2,client=1" % path,
        "net_sluice0,path=%s,server=1,queues=2,%s" % (path, devargs)], [what, count])
    print({name: found[name] for name in found if name.endswith("_us")})
    assert [found[name] for name in ("bad0", "bad1", "foreign0", "foreign1", "missing")] == [0] * 5, found
    assert found["fds"] == found["pieces"] == 0 and found["bytes"] < 16384, found
    return found


@LAYOUTS
def test_a_queue_restarts(folder, devargs):
    found = change(folder, "restart", 300, devargs)
    assert found["sent0"] == found["received0"] and found["sent1"] == found["received1"], found
    # The slowest say what else the machine does: a core that is suspended in a burst is waited for.
    assert found["p50_us"] < QUEUE_US, found


@pytest.mark.parametrize("devargs", ["packed_vq=1", "packed_vq=0", "packed_vq=0,isolation=copy", "packed_vq=1,isolation=sealed,bounce=1",
    "packed_vq=0,dma_debug=1", "packed_vq=1,dma_debug=1"])
def test_a_queue_is_set_up(folder, devargs):
    """What had come for it is lost and counted; the other one loses nothing. Nothing of it is wrong for dma_debug=1."""
    found = change(folder, "renew", 100, devargs)
    assert found["sent0"] == found["received0"] and found["received1"] > 0, found
    assert 0 <= found["sent1"] - found["received1"] <= found["lost"], found


def test_promiscuous_toggles(folder):
    found = change(folder, "promiscuous", 10000 // SHARE)
    assert found["sent0"] == found["received0"] and found["sent1"] == found["received1"], found


def test_redirection_tables(folder):
    """The port spreads by software, so a packet may come in the other queue."""
    found = change(folder, "reta", 1000 // SHARE)
    assert found["sent0"] + found["sent1"] == found["received0"] + found["received1"], found
    assert found["received0"] > 0 and found["received1"] > 0, found
