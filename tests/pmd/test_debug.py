# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""dma_debug=1: stock testpmd and net_vhost do nothing that the checker would report. What it finds is in the unit tests, a fault
of each kind."""
import pytest

from frames import SMALL
from pair import Config
from refusal import one_line_says, run_front
from test_telemetry import Telemetry

pytestmark = pytest.mark.sluice


@pytest.mark.parametrize("devargs", [{}, {"packed_vq": 0, "vectorized": 0, "mrg_rxbuf": 0}, {"isolation": "copy"}],
    ids=["default", "split", "copy"])
def test_traffic_is_silent(new_pair, devargs):
    """Both ways, small and large frames, a restart; the functions that run are those that look, around the same ones as ever."""
    pair = new_pair(Config("debug", front_eal=["--telemetry"], dma_debug=1, **devargs))
    front = pair.front
    assert front.burst_mode("rxq").endswith(", checked") and front.burst_mode("txq").endswith(", checked")
    pair.exchange("io", 600, SMALL)
    pair.exchange("macswap", 300, (60, 1514))
    front.cmds("port stop 0", "port start 0")
    pair.wait_link()
    pair.exchange("io", 300, SMALL)
    assert front.xstats()["dma_debug_reports"] == 0
    stats = Telemetry(front.prefix)("/sluice/dma/stats,0")
    assert stats["dma_debug_reports"] == 0 and "dma_debug_1" not in stats
    pair.close()
    assert "dma_debug: " not in front.log()


def test_bad_value():
    log, _ = run_front("path=/x,dma_debug=2")
    one_line_says(log, "dma_debug=2", "0 or 1")
