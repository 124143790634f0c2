#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Count the results in a JUnit file: prints "PASSED FAILED SKIPPED". A second file has what failed and ran once more:
its results take the place of the first ones, and what passed then is printed, one test in a line."""

import sys
import xml.etree.ElementTree as ET

PASSED, FAILED, SKIPPED = range(3)


def results(path):
    """(test, result) of each in a file"""
    for suite in ET.parse(path).getroot().iter("testsuite"):
        found = []
        for case in suite.findall("testcase"):
            name = "%s::%s" % (case.get("classname"), case.get("name"))
            if case.find("failure") is not None or case.find("error") is not None:
                found.append((name, FAILED))
            else:
                found.append((name, PASSED if case.find("skipped") is None else SKIPPED))
        # A program that died before it could say which of its tests failed shows only here.
        if FAILED not in [result for _, result in found] and int(suite.get("errors") or 0) + int(suite.get("failures") or 0):
            found.append((str(suite.get("name")), FAILED))
        yield from found


def main():
    first, *more = [list(results(path)) for path in sys.argv[1:]]
    # A test of which a later phase failed is there twice, with the result that counts behind.
    again = dict(result for later in more for result in later)
    count, saved = [0, 0, 0], []
    for name, result in first:
        if result == FAILED and again.get(name) == PASSED:
            saved.append(name)
            result = PASSED
        count[result] += 1
    print(*count)
    for name in saved:
        print(name)


if __name__ == "__main__":
    main()
