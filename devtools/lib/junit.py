#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Count the results in JUnit files: prints "PASSED FAILED SKIPPED"."""

import sys
import xml.etree.ElementTree as ET


def count(path):
    passed = failed = skipped = 0
    for suite in ET.parse(path).getroot().iter("testsuite"):
        suite_failed = 0
        for case in suite.findall("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                suite_failed += 1
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
        # A program that died before it could say which of its tests failed shows only here.
        if not suite_failed and int(suite.get("errors") or 0) + int(suite.get("failures") or 0):
            suite_failed = 1
        failed += suite_failed
    return passed, failed, skipped


def main():
    print(*(sum(column) for column in zip((0, 0, 0), *map(count, sys.argv[1:]))))


if __name__ == "__main__":
    main()
