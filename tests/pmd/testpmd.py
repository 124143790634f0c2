# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""One stock dpdk-testpmd process, driven over a pseudo terminal.

A thread reads all output at once: testpmd's vhost threads log while commands run, and a terminal
that nobody reads would block them. Every wait has a deadline. A process dies with its parent.
"""
import ctypes
import glob
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
import tty

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD") or os.path.join(REPO, "build"))
TESTPMD = os.environ.get("SLUICE_TESTPMD") or shutil.which("dpdk-testpmd")
# What runs the front end's testpmd instead: that of another architecture, say, with its emulator.
FRONT = shlex.split(os.environ.get("SLUICE_TEST_FRONT", "")) or [TESTPMD]
VDEV = os.environ.get("SLUICE_TEST_VDEV", "net_sluice")
IS_SLUICE = VDEV == "net_sluice"
PLUGIN = os.path.join(BUILD, "drivers", "librte_net_sluice.so")

# Less than 10 MB of buffers: a 2 MiB page is a vhost memory region, and lib/vhost takes eight.
MBUFS = 4096
PROMPT = b"testpmd> "
# What other threads print at any time, in the middle of the prompt, too: lines, or an empty line of its own.
ASIDE = re.compile(rb"Port \d+: [\w ]+ event\r?\n|(?:VHOST_[A-Z]+|sluice): [^\n]*\n|[\r\n]")
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)
serial = iter(range(1 << 30))


class Died(Exception):
    """testpmd ended when it should have gone on."""


class Deadline(Exception):
    """Something did not happen in time."""


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def environment():
    env = dict(os.environ, LC_ALL="C")
    if IS_SLUICE:
        # By name through the library path: EAL refuses paths below world-writable folders.
        old = env.get("LD_LIBRARY_PATH")
        env["LD_LIBRARY_PATH"] = os.path.dirname(PLUGIN) + (":" + old if old else "")
    return env


def lcores(count):
    """All lcores float over all CPUs: which testpmd gets a core is left to the kernel."""
    cpus = "(" + ",".join(str(c) for c in sorted(os.sched_getaffinity(0))) + ")"
    return ",".join("%d@%s" % (i, cpus) for i in range(count))


def lacks_hugepages():
    """What a testpmd lacks, or None"""
    with open("/proc/sys/vm/nr_hugepages", encoding="ascii") as file:
        if int(file.read()) < 96:
            return "fewer than 96 hugepages of 2 MiB: run devtools/setup"
    return None


def hugetlbfs():
    """Where hugetlbfs is mounted."""
    with open("/proc/mounts") as file:
        return [line.split()[1] for line in file if line.split()[2] == "hugetlbfs"]


def wait_for(condition, seconds, what):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Deadline("%s: not within %g s" % (what, seconds))
        time.sleep(0.02)


def is_link_into(path, folder):
    try:
        return os.readlink(path).startswith(folder)
    except FileNotFoundError:
        return True  # it was closed since


class Testpmd:
    __test__ = False  # the name is that of the program, not of a test

    def __init__(self, vdevs, args=(), eal=(), front=False, memory=64, workers=1,
            interactive=True, own_files=False, wrap=(), env=None):
        """wrap: the command that runs it; env: changes of the environment"""
        self.name = "front" if front else "back"
        self.prefix = "sluice_%d_%d" % (os.getpid(), next(serial))
        # In memory: nothing is left in hugetlbfs when a process is killed on purpose.
        files = [] if own_files else ["--in-memory"]
        command = (FRONT if front else [TESTPMD]) + ["--lcores", lcores(1 + workers), "--main-lcore", "0", "--no-pci",
            "--iova-mode=va", "--file-prefix", self.prefix,
            "-m", str(memory)] + files
        if "--telemetry" not in eal:
            command += ["--no-telemetry"]
        if front and IS_SLUICE:
            command += ["-d", os.path.basename(PLUGIN)]
        if front and not IS_SLUICE:
            command += ["--single-file-segments"]
        for vdev in vdevs:
            command += ["--vdev", vdev]
        command += list(eal) + ["--"] + (["-i"] if interactive else [])
        command += ["--no-mlockall", "--no-flush-rx", "--nb-cores=%d" % workers]
        if not any(arg.startswith("--total-num-mbufs") for arg in args):
            command += ["--total-num-mbufs=%d" % MBUFS]
        self.launch(list(wrap) + command + list(args), interactive, env)
        if interactive:
            try:
                self.wait_prompt(0, 30)
            except Exception:
                self.kill()
                raise

    def launch(self, command, interactive, env=None):
        """Starts the process, and a thread that reads all that it says."""
        self.command = " ".join(command)
        self.text = bytearray()
        self.changed = threading.Condition()
        # Without the terminal on standard input testpmd ends by itself when it is done.
        self.terminal, end = pty.openpty()
        tty.setraw(end)
        try:
            self.process = subprocess.Popen(command, env=dict(environment(), **(env or {})),
                stdout=end, stderr=end,
                stdin=end if interactive else subprocess.DEVNULL, close_fds=True,
                start_new_session=True, preexec_fn=die_with_parent)
        finally:
            os.close(end)
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self.read_all, daemon=True)
        self.reader.start()

    def read_all(self):
        while True:
            try:
                data = os.read(self.terminal, 65536)
            except OSError:
                data = b""
            with self.changed:
                self.text += data
                self.changed.notify_all()
                if not data:
                    return

    def log(self):
        with self.changed:
            return bytes(self.text).decode(errors="replace").replace("\r", "")

    def suspend(self):
        """Stops the process until it gets SIGCONT: its threads stop one by one, and some answer a message before."""
        def has_stopped():
            stats = glob.glob("/proc/%d/task/*/stat" % self.pid)
            return all(open(path, encoding="ascii").read().rpartition(")")[2].split()[0] == "T" for path in stats)
        self.process.send_signal(signal.SIGSTOP)
        wait_for(has_stopped, 5, "a process that stops")

    def interrupt(self, signum):
        """Sends a signal while the main thread waits for a command: one that comes just before is noticed with the next line."""
        def reads():
            with open("/proc/%d/syscall" % self.pid, encoding="ascii") as file:
                return file.read().startswith("0 0x0 ")     # read(), of standard input
        wait_for(reads, 5, "a process that waits for a command")
        self.process.send_signal(signum)

    def trouble(self, kind, what):
        return kind("%s testpmd %s\n$ %s\n%s" % (self.name, what, self.command, self.log()[-6000:]))

    def wait_prompt(self, mark, timeout):
        end = time.monotonic() + timeout
        with self.changed:
            while PROMPT not in self.text[mark:] and PROMPT not in ASIDE.sub(b"", self.text[mark:]):
                left = end - time.monotonic()
                if not self.reader.is_alive():
                    raise self.trouble(Died, "ended (%s)" % self.process.poll())
                if left <= 0:
                    raise self.trouble(Deadline, "gave no prompt in %g s" % timeout)
                self.changed.wait(min(left, 0.2))
            return bytes(self.text[mark:]).decode(errors="replace").replace("\r", "")

    def cmd(self, line, timeout=15):
        """Sends one command and returns what testpmd printed until its next prompt."""
        with self.changed:
            mark = len(self.text)
        os.write(self.terminal, line.encode() + b"\n")
        text = self.wait_prompt(mark, timeout)
        if "Bad arguments" in text or "Command not found" in text:
            raise self.trouble(AssertionError, "does not know: " + line)
        return text

    def cmds(self, *lines):
        return "".join(self.cmd(line) for line in lines)

    def wait_log(self, pattern, timeout=10):
        return wait_for(lambda: re.search(pattern, self.log()), timeout, "log of %s: %s"
            % (self.name, pattern))

    def stats(self, port=0):
        text = self.cmd("show port stats %d" % port)
        return {key: int(value) for key, value in re.findall(r"([RT]X-\w+): +(\d+)", text)}

    def xstats(self, port=0):
        text = self.cmd("show port xstats %d" % port)
        return {key: int(value) for key, value in re.findall(r"^(\w+): (\d+)$", text, re.M)}

    def info(self, port=0):
        text = self.cmd("show port info %d" % port)
        return {key: value for key, value in re.findall(r"^([^:\n]+): (.*)$", text, re.M)}

    def link_up(self, port=0):
        return self.info(port).get("Link status") == "up"

    def ring_size(self, kind, queue, port=0):
        """kind is rxq or txq"""
        text = self.cmd("show %s info %d %d" % (kind, port, queue))
        found = re.search(r"Number of [RT]XDs: (\d+)", text)
        assert found, text
        return int(found.group(1))

    def burst_mode(self, kind):
        """What the driver says of its rxq or txq; "" when it says nothing"""
        found = re.search(r"Burst mode: (.*)", self.cmd("show %s info 0 0" % kind))
        return found.group(1).strip() if found else ""

    def dump_pool(self, name):
        """What testpmd prints of a mempool; the command lost its underscore in 25.11."""
        try:
            return self.cmd("dump_mempool " + name)
        except AssertionError:
            return self.cmd("dump mempool " + name)

    def pool(self, name="mb_pool_0"):
        """(mbufs that are in the pool or in a lcore's cache, mbufs in all)"""
        text = self.dump_pool(name)
        number = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)\b(?!x)", text)}
        # Without a cache there is no count of it.
        return number.get("total_cache_count", 0) + number["common_pool_count"], number["size"]

    def cpu_ticks(self, lcore=1):
        """CPU time of a lcore's thread so far, in clock ticks; lcore 0 is the main one."""
        for task in glob.glob("/proc/%d/task/*" % self.pid):
            with open(task + "/stat") as file:
                name, fields = re.fullmatch(r"\d+ \((.*)\) (.*)", file.read().strip()).groups()
            is_main = os.path.basename(task) == str(self.pid)
            if is_main if lcore == 0 else re.fullmatch(r"(lcore|rte)-worker-%d" % lcore, name):
                return sum(map(int, fields.split()[11:13]))  # utime, stime
        raise AssertionError("no thread of lcore %d" % lcore)

    def fds(self):
        """Descriptors; a sanitizer's runtime has its own of the process's maps, now and then for long."""
        folder = "/proc/%d/fd/" % self.pid
        return sum(not is_link_into(folder + name, "/proc/") for name in os.listdir(folder))

    def maps(self):
        with open("/proc/%d/maps" % self.pid) as file:
            return len(file.readlines())

    def stop(self):
        return self.cmd("stop")

    def wait_end(self, timeout=15):
        """Waits until the process ends by itself; its exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.trouble(Deadline, "still runs after %g s" % timeout) from None
        self.reader.join(5)
        return status

    def quit(self, timeout=15):
        if self.process.poll() is None:
            os.write(self.terminal, b"quit\n")
        status = self.wait_end(timeout)
        self.clean()
        if status != 0 or "Bye..." not in self.log():
            raise self.trouble(AssertionError, "did not end well (%d)" % status)

    def kill(self):
        """Never fails, and leaves nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(5)
        self.clean()

    def clean(self):
        for mount in hugetlbfs():
            for file in glob.glob(os.path.join(mount, self.prefix + "map_*")):
                os.unlink(file)
        if self.terminal is not None and not self.reader.is_alive():
            os.close(self.terminal)
            self.terminal = None
        for base in (os.environ.get("RUNTIME_DIRECTORY", "/var/run"), "/tmp"):
            shutil.rmtree(os.path.join(base, "dpdk", self.prefix), ignore_errors=True)
