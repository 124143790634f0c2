# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The applications of app/applications.h, and what app/first_calls.c says in the role of one."""
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
