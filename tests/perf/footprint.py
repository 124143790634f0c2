#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What plug-ins and a port of theirs take, side by side.

    tests/perf/footprint.py [PLUGIN...]       the build's without a name

Of each: bytes when stripped, the shortest and the median time of dlopen() in microseconds, and the memory of a started port with one
pair of queues of 256: bytes of EAL's heaps (the driver's private data) and of memory files (rings).
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pmd"))
from testpmd import BUILD, PLUGIN, Testpmd  # noqa: E402

PROGRAM = os.path.join(BUILD, "tests", "footprint")
RUNS = 15


def run(plugin, sockets):
    """(microseconds, bytes of heaps, bytes of files)"""
    done = subprocess.run([PROGRAM, plugin, "-l", "0", "--no-pci", "--iova-mode=va", "--in-memory", "--no-telemetry", "-m", "64",
        "--file-prefix=sluice_footprint_%d" % os.getpid(), "--"] + ["path=" + path for path in sockets],
        capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return tuple(map(int, done.stdout.split()[-3:]))


def measure(plugins, runs):
    """{plugin: what run() says, for each run}; the plug-ins take turns"""
    with tempfile.TemporaryDirectory(prefix="slu") as folder:
        sockets = [os.path.join(folder, name) for name in "ab"]
        back = Testpmd(["net_vhost%d,iface=%s" % item for item in enumerate(sockets)])
        try:
            seen = {plugin: [] for plugin in plugins}
            for _ in range(runs):
                for plugin in plugins:
                    seen[plugin].append(run(plugin, sockets))
            return seen
        finally:
            back.kill()


def stripped(plugin):
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["strip", "-o", file.name, plugin], check=True)
        return os.path.getsize(file.name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plugins", nargs="*", default=[PLUGIN], metavar="PLUGIN")
    plugins = [os.path.abspath(path) for path in parser.parse_args().plugins]
    for plugin, seen in measure(plugins, RUNS).items():
        times = [one[0] for one in seen]
        print("%s: stripped %d bytes; dlopen %d us, median %d; a port: heaps %d bytes, files %d bytes" % (plugin,
            stripped(plugin), min(times), statistics.median(times), *seen[0][1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
