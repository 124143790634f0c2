# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Programs that do what they are told: puppet.c, an application with up to 32 ports of which each command has its time
measured; vhost_peer.c, back ends of librte_vhost that restart."""
import os
import re
import threading
import time

from testpmd import BUILD, PLUGIN, Deadline, Died, Testpmd, lcores, serial, wait_for

PUPPET = os.path.join(BUILD, "tests", "puppet")
# The back end is not what a sanitizer is for.
VHOST_PEER = os.path.join(os.environ.get("SLUICE_TEST_TOOLS") or BUILD, "tests", "vhost_peer")
# Seconds that calls may take, and what a busy machine adds.
SLACK = float(os.environ.get("SLUICE_TEST_SLACK", "1"))
BOUNDS = {"probe": 5, "start": 5, "stop": 2, "close": 2, "cleanup": 2, "promiscuous": 0.5, "link": 0.5, "info": 0, "stats": 0, "xstats": 0}


class Obedient(Testpmd):
    """A program with EAL that reads commands from its input."""

    def __init__(self, program, eal=(), args=(), wrap=(), env=None, own_files=False):
        self.name = os.path.basename(program)
        self.prefix = "sluice_%d_%d" % (os.getpid(), next(serial))
        self.tags = iter(range(1 << 30))
        self.lock = threading.Lock()
        self.launch(list(wrap) + [program, "--lcores", lcores(2), "--main-lcore", "0", "--no-pci",
            "--iova-mode=va", "--no-telemetry", "--file-prefix", self.prefix]
            + ([] if own_files else ["--in-memory"]) + list(eal) + ["--"] + list(args), True, env)
        try:
            self.wait_log(self.name + ": ready", 60)
        except BaseException:
            self.kill()
            raise

    def tell(self, line):
        with self.lock:
            os.write(self.terminal, line.encode() + b"\n")


class Call:
    """A command that is being carried out."""

    def __init__(self, puppet, tag, what):
        self.puppet, self.tag, self.what = puppet, tag, what

    def wait(self, timeout=30):
        """What the answer says, as integers: ret, us and more."""
        pattern = re.compile(rb"^=%s (.*?)\r?\n" % self.tag.encode(), re.M)
        end = time.monotonic() + timeout
        with self.puppet.changed:
            while True:
                found = pattern.search(self.puppet.text)
                if found:
                    return {key: int(value) for key, value in re.findall(r"(\w+)=(-?\d+)", found.group(1).decode())}
                if not self.puppet.reader.is_alive():
                    raise self.puppet.trouble(Died, "ended in %s" % self.what)
                if time.monotonic() > end:
                    raise self.puppet.trouble(Deadline, "%s: no answer in %g s" % (self.what, timeout))
                self.puppet.changed.wait(0.2)

    def is_over(self):
        with self.puppet.changed:
            return b"=%s " % self.tag.encode() in self.puppet.text


class Puppet(Obedient):
    def __init__(self, eal=(), memory=128, **how):
        super().__init__(PUPPET, ["-m", str(memory), "-d", os.path.basename(PLUGIN)] + list(eal), **how)

    def begin(self, verb, port, *args):
        tag = "%d." % next(self.tags)
        self.tell(" ".join([tag, verb, str(port)] + [str(a) for a in args]))
        return Call(self, tag, "%s %s" % (verb, port))

    def call(self, verb, port, *args, timeout=30):
        return self.begin(verb, port, *args).wait(timeout)

    def do(self, verb, port, *args, timeout=30):
        """As call(), of what must succeed; without the answer's ret."""
        answer = self.call(verb, port, *args, timeout=timeout)
        if answer["ret"] != 0:
            raise self.trouble(AssertionError, "%s %s: %s" % (verb, port, answer))
        return answer

    def open(self, port, devargs, mbufs=511, descriptors=128, start=True):
        self.do("probe", port, devargs)
        self.do("setup", port, mbufs, descriptors)
        if start:
            self.do("start", port)

    def is_up(self, port):
        return self.do("info", port)["link"] == 1

    def wait_up(self, port, up=True, seconds=10):
        wait_for(lambda: self.is_up(port) == up, seconds, "link of port %d %s" % (port, "up" if up else "down"))

    def check_pool(self, port, seconds=0):
        """All mbufs are in the pool, at once or after some time."""
        def missing():
            answer = self.do("pool", port)
            return answer["size"] - answer["available"]
        try:
            wait_for(lambda: missing() == 0, seconds, "all mbufs back")
        except Deadline:
            raise self.trouble(AssertionError, "port %d: %d mbufs are not in the pool" % (port, missing())) from None


class VhostPeer(Obedient):
    """Back ends of librte_vhost; role: of the vhost-user connection."""

    def __init__(self, role, *paths):
        super().__init__(VHOST_PEER, ["-m", "64", "--log-level=lib.vhost*:error"], [role] + list(paths))

    def ask(self, line, timeout=30):
        """The lines of an answer, each as a dict of integers. Sleeps meanwhile: what is measured needs the cores."""
        end = time.monotonic() + timeout
        lines = []
        with self.changed:
            at = len(self.text)
            self.tell(line)
            while "done" not in lines:
                self.changed.wait(0.2)
                if not self.reader.is_alive():
                    raise self.trouble(Died, "ended in " + line)
                if time.monotonic() > end:
                    raise self.trouble(Deadline, "%s: no answer in %g s" % (line, timeout))
                whole = self.text.rfind(b"\n", at) + 1
                if whole > at:
                    lines += bytes(self.text[at:whole]).decode(errors="replace").replace("\r", "").split("\n")
                    at = whole
        return [{key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", text)}
            for text in lines if re.match("(restart|counts) ", text)]

    def restart(self, count, ms=20):
        return self.ask("restart %d %d" % (count, ms), 30 + count * 3)

    def counts(self, socket=0):
        return self.ask("counts")[socket]
