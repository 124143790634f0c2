#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The cost of a packet in a guest, and the reference that it is compared with.

    tests/vm/cost.py             measure and print
    tests/vm/cost.py --renew     measure and write tests/vm/cost.json

The counts are exact (a plug-in of QEMU's emulation), for one compiler and one DPDK; the reference names both.
"""
import argparse
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "perf"), os.path.join(ROOT, "devtools", "lib")]
import benchguest  # noqa: E402 (found by the line above)
import instructions  # noqa: E402

REFERENCE = os.path.join(HERE, "cost.json")
RESULTS = os.path.join(ROOT, "build", "logs", "vm", "cost")
# Of a sleeping device the count depends on when it wakes.
COUNTED = ("stock", "scalar", "packed")


def figures(row):
    """What the reference has of a case: Sluice's instructions per packet, and its paths."""
    return dict({way: row["a"][way]["instructions"] for way in ("tx", "rx")},
        **{way + "_path": row["a"][way + "_mode"].replace("Sluice ", "") for way in ("tx", "rx")})


def reference():
    with open(REFERENCE, encoding="ascii") as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="write the reference")
    renew = parser.parse_args().renew
    rows = benchguest.measure(RESULTS, instructions.bench.BUILD, lambda text: print(text, flush=True))
    benchguest.show(rows)
    if renew:
        with open(REFERENCE, "w", encoding="ascii") as file:
            json.dump({"compiler": instructions.compiler(), "dpdk": instructions.dpdk(),
                "cases": {row["case"]: figures(row) for row in rows if row["case"] in COUNTED}}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
