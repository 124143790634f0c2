#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Two stock testpmds and the Sluice plug-in: see devtools/demo, which runs this.

The back end (net_vhost) puts a fixed number of packets into the loop and both sides forward what they
receive, so the packets go round until the back end stops. Nothing can overflow, because fewer packets
are on their way than a ring holds; and when the loop was drained, what one side sent must be what the
other side received. Whatever is missing then was lost.
"""
import os
import re
import shutil
import signal
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "pmd"))
from testpmd import VDEV, Deadline, Died, Testpmd, wait_for  # noqa: E402 (found by the line above)
import hugepages  # noqa: E402

FRONT_MB = 256
NO_HUGE_MB = 64
BACK_MB = 64
BURSTS = 4                  # of 32 packets: half of a ring of 256
POOL = "--total-num-mbufs=4096"


class Stop:
    """Ctrl-C: while packets move it ends the run early, at any other time it ends everything."""
    may_wait = False
    asked = False

    @classmethod
    def handler(cls, _signum, _frame):
        if cls.asked or not cls.may_wait:
            raise KeyboardInterrupt
        cls.asked = True


def has_hugepages():
    free = hugepages.nb_free()
    wanted = (FRONT_MB + BACK_MB) // 2
    if free >= wanted:
        return True
    print(f"{free} hugepages of 2 MiB are free, {wanted} are wanted: running in ordinary memory (--no-huge).\n"
          "EAL then holds one single file, so the back end sees all of it. devtools/setup reserves hugepages.")
    return False


def start(folder, devargs):
    """Both sides, front end not started yet: every mbuf of its pool is still there."""
    sock = os.path.join(folder, "vhost.sock")
    huge = has_hugepages()
    eal = [] if huge else ["--no-huge"]     # which EAL does not take beside --in-memory
    args = [POOL, "--disable-link-check"]
    back = Testpmd([f"net_vhost0,iface={sock},queues=1"], args, eal,
                   memory=BACK_MB if huge else NO_HUGE_MB, own_files=not huge)
    try:
        wait_for(lambda: os.path.exists(sock), 5, "socket of the back end")
        front = Testpmd([",".join([f"{VDEV}0", f"path={sock}"] + devargs)],
                        args + ["--disable-device-start"], eal, front=True,
                        memory=FRONT_MB if huge else NO_HUGE_MB, own_files=not huge)
    except BaseException:
        back.kill()
        raise
    return front, back


def shared_files(pid):
    """Files that a process maps for reading and writing, shared: (device, inode) -> (size, path)."""
    files = {}
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        for line in f:
            span, perms, offset, dev, inode, *path = line.split(None, 5)
            if perms[1] != "w" or perms[3] != "s":
                continue
            low, high = (int(x, 16) for x in span.split("-"))
            try:
                size = os.stat(f"/proc/{pid}/map_files/{span}").st_size
            except OSError:
                size = int(offset, 16) + high - low
            key = dev, inode
            size = max(size, files.get(key, (0, ""))[0])
            files[key] = size, path[0].strip() if path else ""
    return files


def memory(front, back):
    """What the back end can reach of the front end, of that EAL's part, and what EAL holds: bytes.

    Whole files: who was given a file descriptor can map all of it."""
    ours = shared_files(front.pid)
    theirs = shared_files(back.pid)
    eal = {key: size for key, (size, path) in ours.items()
           if re.search(r"memfd:(seg_|nohuge)", path) or front.prefix + "map_" in path}
    seen = {key: size for key, (size, _) in ours.items() if key in theirs}
    return (sum(seen.values()), sum(size for key, size in seen.items() if key in eal), sum(eal.values()))


class Counters:
    """What both sides counted, and when."""

    def __init__(self, front, back):
        self.time = time.monotonic()
        f, b = front.stats(), back.stats()
        self.front_rx, self.front_tx = f["RX-packets"], f["TX-packets"]
        self.back_rx, self.back_tx = b["RX-packets"], b["TX-packets"]

    def all(self):
        return self.front_rx, self.front_tx, self.back_rx, self.back_tx


def mpps(now, then, what):
    return (getattr(now, what) - getattr(then, what)) / (now.time - then.time) / 1e6


def run(front, back, seconds):
    """Packets go round for so long; one line per second. Returns the first and the last counters."""
    front.cmds("set fwd io", "start")
    back.cmds("set fwd io", f"start tx_first {BURSTS}")
    Stop.may_wait = True
    first = last = Counters(front, back)
    for second in range(1, seconds + 1):
        while time.monotonic() < first.time + second and not Stop.asked:
            time.sleep(0.05)
        if Stop.asked:
            break
        now = Counters(front, back)
        print(f"{second:4d} s   back end sends {mpps(now, last, 'back_tx'):7.3f} Mpps   front end receives "
              f"{mpps(now, last, 'front_rx'):7.3f}, sends {mpps(now, last, 'front_tx'):7.3f}   back end receives "
              f"{mpps(now, last, 'back_rx'):7.3f}", flush=True)
        last = now
    if last is first:
        last = Counters(front, back)
    return first, last


def drain(front, back):
    """The source ends first; then what is on its way arrives. Ends when nothing moves any more."""
    back.cmd("stop")
    back.cmds("set fwd rxonly", "start")
    end = time.monotonic() + 5
    quiet, before = 0, None
    while quiet < 3 and time.monotonic() < end:
        time.sleep(0.1)
        now = Counters(front, back).all()
        quiet = quiet + 1 if now == before else 0
        before = now
    front.cmd("stop")
    back.cmd("stop")
    return Counters(front, back)


def mib(size):
    return f"{size / 2 ** 20:.1f} MiB"


def report(total, rate, paths, seen, pools):
    """The table, and what was wrong, if anything."""
    to_front, to_back = total.back_tx - total.front_rx, total.front_tx - total.back_rx
    not_sent = total.front_rx - total.front_tx
    visible, visible_eal, held = seen
    print(f"""
                          {'sent':>14} {'received':>14} {'lost':>8} {'Mpps':>9}
back end -> front end     {total.back_tx:14d} {total.front_rx:14d} {to_front:8d} {rate[0]:9.3f}
front end -> back end     {total.front_tx:14d} {total.back_rx:14d} {to_back:8d} {rate[1]:9.3f}
received by the front end, and not sent on   {not_sent:20d}

front end's Rx path       {paths[0]}
front end's Tx path       {paths[1]}
back end could see        {visible} bytes ({mib(visible)}; {mib(visible_eal)} of it EAL's)
EAL of the front end holds {held} bytes ({mib(held)}), of which seen: {100 * visible_eal / max(held, 1):.1f} %""")
    wrong = []
    for name, before, after in pools:
        print(f"{name + ' mbufs':25} {before} before, {after} after")
        if before != after:
            wrong.append(f"{name} leaked {before - after} mbufs")
    if not rate[0] > 0 or not rate[1] > 0 or not total.back_rx:
        wrong.append("no packets moved")
    if to_front or to_back or not_sent:
        wrong.append(f"{abs(to_front) + abs(to_back) + abs(not_sent)} packets lost")
    return wrong


def demo(front, back, seconds):
    pool = front.pool()[0], back.pool()[0]
    text = front.cmd("port start 0")
    wait_for(lambda: front.link_up() and back.link_up(), 10,
             "link of both sides; the front end said:\n" + text[-1500:] + "\n")
    print(f"{VDEV} <-> net_vhost, 64 byte packets, {BURSTS * 32} on their way, {seconds} s", flush=True)
    first, last = run(front, back, seconds)
    paths = [front.burst_mode(kind) or "not told" for kind in ("rxq", "txq")]
    seen = memory(front, back)
    total = drain(front, back)
    front.cmds("port stop 0", "port close 0")
    return report(total, (mpps(last, first, "front_rx"), mpps(last, first, "front_tx")), paths, seen,
                  [("front end", pool[0], front.pool()[0]), ("back end", pool[1], back.pool()[0])])


def end(side):
    """"quit", as a user would; what does not listen is killed."""
    try:
        side.quit(10)
        return []
    except (Deadline, Died, AssertionError, OSError) as e:
        side.kill()
        return [str(e)]


def main():
    seconds, devargs = int(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGINT, Stop.handler)
    signal.signal(signal.SIGTERM, Stop.handler)
    folder = tempfile.mkdtemp(prefix="sluice-demo-")
    sides, wrong = (), []
    try:
        sides = start(folder, devargs)
        wrong = demo(*sides, seconds)
    except (Deadline, Died, AssertionError) as e:
        wrong = [str(e)]
    except KeyboardInterrupt:
        wrong = ["interrupted"]
    finally:
        Stop.may_wait = Stop.asked = False
        try:
            for side in sides:
                wrong += end(side)
        finally:
            for side in sides:
                side.kill()
            shutil.rmtree(folder, ignore_errors=True)
    for text in wrong:
        print(f"FAILED: {text}")
    if not wrong:
        print("OK: nothing lost, nothing leaked")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
