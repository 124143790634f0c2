# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The applications of app/applications.h, and what app/first_calls.c says in the role of one; what app/wrong_buffers.c is told."""
import os
import re

with open(os.path.join(os.path.dirname(__file__), "app", "applications.h"), encoding="ascii") as _file:
    TABLE = _file.read()
# {name: whether it transmits}
TRANSMITS = {name: queues != "0" for name, queues in re.findall(
    r'\{\s*\.name = "([^"]+)",\s*\.nb_rx = \d+,\s*\.nb_tx = (\d+),', TABLE)}
# Ready, or a call failed.
TOLD = r"first_calls: (?:ready|\w+ -\d+)"


def is_ready(log):
    assert "first_calls: ready" in log, log[-3000:]


def received(log):
    """What came, when it was ended; every buffer is back."""
    count, missing = re.search(r"first_calls: (\d+) received, (\d+) missing", log).groups()
    assert missing == "0", log[-3000:]
    return int(count)


def is_told_once(log, report):
    """By dma_debug=1 of a port with transmit queue 0, with the place and the mbuf; and it went on."""
    told = [line for line in log.splitlines() if "dma_debug: " in line]
    assert len(told) == 1 and report in told[0], log[-3000:]
    assert all(word in told[0] for word in ("tx queue 0", "slot ", "mbuf 0x", "pool", "given at")), told
    assert int(re.search(r"wrong_buffers: (\d+) reports", log).group(1)) > 1, log[-3000:]
