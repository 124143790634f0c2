# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Secondary processes beside a testpmd that has the port: another testpmd, DPDK's tools, its example symmetric_mp."""
import os
import re
import subprocess

from pair import Config, Pair
from testpmd import BUILD, PLUGIN, TESTPMD, Testpmd, environment

SYMMETRIC_MP = os.path.join(BUILD, "app", "examples", "symmetric_mp")
# Where EAL looks for plug-ins by itself.
PMD_DIR = "/usr/lib/%s-linux-gnu/dpdk" % os.uname().machine
# Who has no options to load a plug-in finds it beside the others, in a mount namespace of its own. Links to
# the very files that the dynamic linker finds: a copy would be loaded beside them.
AS_INSTALLED = """
set -e
dir=$(echo %(dir)s/pmds-*) place=$1
shift
mkdir "$place/old" "$place/new"
mount --bind "$dir" "$place/old"
ln -s "$place/old"/* %(plugin)s "$place/new/"
mount --bind "$place/new" "$dir"
exec "$@"
"""


def lcore_map(first, count):
    """Lcores that the primary process does not have, on all CPUs."""
    cpus = "(" + ",".join(str(c) for c in sorted(os.sched_getaffinity(0))) + ")"
    return ",".join("%d@%s" % (i, cpus) for i in range(first, first + count))


def eal_args(prefix, first, count, plugin=PLUGIN):
    return ["--proc-type=secondary", "--lcores", lcore_map(first, count), "--main-lcore", str(first), "--no-pci",
        "--iova-mode=va", "--no-telemetry", "--file-prefix", prefix, "-d", os.path.basename(plugin)]


class Secondary(Testpmd):
    """A testpmd that polls the last of two queues. It leaves the primary process's files alone."""

    def __init__(self, primary, args=("--num-procs=2", "--proc-id=1", "--rxq=2", "--txq=2"), eal=(), first=4, env=None,
            wrap=()):
        self.name = "secondary"
        self.prefix = primary.prefix
        self.launch(list(wrap) + [TESTPMD] + eal_args(self.prefix, first, 2) + list(eal) + ["--", "-i", "--no-mlockall",
            "--no-flush-rx", "--nb-cores=1"] + list(args), True, env)
        try:
            self.wait_prompt(0, 30)
        except BaseException:
            self.kill()
            raise

    def forward(self):
        self.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry", "start")

    def clean(self):
        if self.terminal is not None and not self.reader.is_alive():
            os.close(self.terminal)
            self.terminal = None


class Program(Secondary):
    """Any other one, in either role; it is not typed to."""

    def __init__(self, name, prefix, command, env=None):
        self.name = name
        self.prefix = prefix
        self.launch(command, False, env)


def two_queues(name="secondary", **how):
    """The primary process polls the first of two queues."""
    return Config(name, queues=2, own_files=True, front_args=["--num-procs=2", "--proc-id=0"], **how)


class Processes(Pair):
    """A pair of which the front end has a secondary process."""

    def __init__(self, folder, config=None, **how):
        super().__init__(config or two_queues(), folder)
        try:
            self.second = Secondary(self.front, **how)
        except BaseException:
            self.kill()
            raise

    def close(self):
        self.second.quit()
        super().close()

    def kill(self):
        if hasattr(self, "second"):
            self.second.kill()
        super().kill()


def run_tool(program, prefix, args, timeout=60, plugin=PLUGIN):
    """(status, what it says) of a tool of DPDK that takes options of EAL"""
    done = subprocess.run([program, "--no-pci", "--no-telemetry", "--file-prefix", prefix, "-d", os.path.basename(plugin)]
        + args, env=dict(environment(), LD_LIBRARY_PATH=os.path.dirname(plugin)), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout


def as_installed(command, place):
    """The command that runs another one with the plug-in where EAL finds it. place: an empty folder, not
    below /tmp, from which EAL would load nothing."""
    script = AS_INSTALLED % {"dir": PMD_DIR, "plugin": PLUGIN}
    return ["unshare", "-m", "--propagation", "private", "bash", "-c", script, "installed", place] + command


def mempool_drivers(program):
    """Those that a program is linked with, and so has before all others: processes that share mempools need the same order."""
    text = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return re.findall(r"=> (\S+librte_mempool_\S+)", text)
