# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What pytest is told of a suite that runs over a driver of one's choice; tests/vm uses it, too."""
import pytest


class DriverUnderTest:
    """A plug-in of pytest. missing: gives what keeps the whole suite from running, or None"""

    def __init__(self, name, is_sluice, missing):
        self.name, self.is_sluice, self.missing = name, is_sluice, missing

    def pytest_report_header(self):
        return "driver under test: " + self.name

    def pytest_collection_modifyitems(self, items):
        reason = self.missing()
        for item in items:
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))
            elif not self.is_sluice and item.get_closest_marker("sluice"):
                item.add_marker(pytest.mark.skip(reason="promised by Sluice, not by " + self.name))


def register(config, name, is_sluice, missing):
    config.addinivalue_line("markers",
        "sluice: what only Sluice promises; skipped with another driver")
    config.pluginmanager.register(DriverUnderTest(name, is_sluice, missing))
