# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A back end (net_vhost, and net_pcap as its outside) and a front end (the driver under test).

    in.pcap -> back end -> vhost -> front end forwards -> vhost -> back end -> out.pcap

Every hop retries when a ring is full, and the back end drives its two directions from two lcores,
so nothing may be lost and the order in a queue must hold: results are compared as lists.
"""
import os

from frames import compare, expected, is_ours, make, read_pcap, write_pcap
from testpmd import VDEV, Testpmd, wait_for


class Config:
    """What a pair of testpmds is started with; devargs are those of the vdev under test."""

    def __init__(self, name, queues=1, front_args=(), front_eal=(), own_files=False,
            front_wrap=(), **devargs):
        self.name = name
        self.queues = queues
        self.front_args = list(front_args)
        self.front_eal = list(front_eal)
        self.own_files = own_files
        self.front_wrap = front_wrap
        self.devargs = dict(devargs)
        if queues > 1:
            self.devargs.setdefault("queues", queues)

    def vdev(self, path):
        return ",".join(["%s0,path=%s" % (VDEV, path)]
            + ["%s=%s" % item for item in self.devargs.items()])


class Pair:
    def __init__(self, config, folder, backend_first=True):
        self.config = config
        self.folder = str(folder)
        self.path = os.path.join(self.folder, "v.sock")
        self.back = self.front = None
        self.seed = 0
        try:
            if backend_first:
                self.start_back()
                self.start_front()
                self.wait_link()
        except BaseException:
            self.kill()
            raise

    def pcap(self, way, queue):
        return os.path.join(self.folder, "%s%d.pcap" % (way, queue))

    def start_back(self, client=0, more=""):
        """more: further device arguments of net_vhost"""
        queues = range(self.config.queues)
        for queue in queues:
            write_pcap(self.pcap("in", queue), [])
        vhost = "net_vhost0,iface=%s,queues=%d,client=%d%s" % (self.path, len(queues), client, more)
        pcap = ",".join(["net_pcap0"] + ["rx_pcap=" + self.pcap("in", q) for q in queues]
            + ["tx_pcap=" + self.pcap("out", q) for q in queues])
        self.back = Testpmd([vhost, pcap], workers=2, args=[
            "--total-num-mbufs=8192", "--rxq=%d" % len(queues), "--txq=%d" % len(queues)])
        self.back.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry")

    def start_front(self):
        args = list(self.config.front_args)
        if self.config.queues > 1:
            args += ["--rxq=%d" % self.config.queues, "--txq=%d" % self.config.queues]
        self.front = Testpmd([self.config.vdev(self.path)], front=True, args=args,
            eal=self.config.front_eal, own_files=self.config.own_files, wrap=self.config.front_wrap)
        self.front.cmd("set burst tx delay 1 retry 2000000")

    def wait_link(self, up=True, seconds=10):
        for side in (self.front, self.back):
            wait_for(lambda s=side: s.link_up() == up, seconds,
                "link of %s %s" % (side.name, "up" if up else "down"))

    def mac(self):
        return bytes.fromhex(self.front.info()["MAC address"].replace(":", ""))

    def rewind(self, per_queue):
        """New input and empty output for the back end; what it had put out so far."""
        for queue, frames in enumerate(per_queue):
            write_pcap(self.pcap("in", queue), frames)
        # A restarted pcap port reads its input from the beginning and empties its output.
        self.back.cmds("set fwd io retry", "port stop 1", "port start 1")
        return self.back.stats(1)["TX-packets"]

    def send(self, per_queue, mode="io", seconds=20, dropped=0):
        """Plays a list of frames into every queue; the lists that came back, which are all but so many."""
        want = sum(len(frames) for frames in per_queue) - dropped
        before = self.rewind(per_queue)
        self.front.cmds("set fwd %s retry" % mode, "start")
        self.back.cmd("start")
        try:
            last = [0]

            def arrived():
                last[0] = self.back.stats(1)["TX-packets"] - before
                return last[0] >= want
            wait_for(arrived, seconds, "frames back through %s" % VDEV)
        except Exception as error:
            raise AssertionError("%d of %d frames came back; front %s" % (last[0], want,
                self.front.stats())) from error
        finally:
            self.back.stop()
            self.front.stop()
        return [read_pcap(self.pcap("out", q)) for q in range(len(per_queue))]

    def exchange(self, mode="io", count=600, sizes=(60, 1514)):
        """Sends frames through the front end in a mode and compares every byte of the result."""
        self.seed += 1
        mac = self.mac()
        queues = range(self.config.queues)
        sent = [make(count, list(sizes), self.seed << 8 | q) for q in queues]
        before = self.front.stats()
        results = self.send(sent, mode)
        after = self.front.stats()
        for frames, result in zip(sent, results):
            compare(result, [expected(frame, mode, mac) for frame in frames])
        total = count * len(queues)
        size = sum(len(frame) for frames in sent for frame in frames)
        delta = {key: after[key] - before[key] for key in after}
        for way in ("RX", "TX"):
            assert delta[way + "-packets"] == total, delta
            assert delta[way + "-bytes"] == size, delta
        assert delta["RX-errors"] == delta["TX-errors"] == 0, delta

    def exchange_among_leftovers(self, count=600):
        """As exchange() in io mode, when the rings may still hold other frames: those are not ours
        and may come out, before or between."""
        frames = make(count, [60, 1514])
        self.rewind([frames])
        self.front.cmds("set fwd io retry", "start")
        self.back.cmd("start")
        ours = []

        def arrived():
            ours[:] = [f for f in read_pcap(self.pcap("out", 0), partial=True) if is_ours(f)]
            return len(ours) >= count
        try:
            wait_for(arrived, 15, "frames back through %s" % VDEV)
        except Exception as error:
            raise AssertionError("%d of %d frames came back; front %s" % (len(ours), count,
                self.front.stats())) from error
        finally:
            self.back.stop()
            self.front.stop()
        compare(ours, frames)

    def close(self):
        """Ends both in order; every mbuf must be back in its pool first."""
        try:
            self.front.cmds("port stop 0", "port close 0")
            check_pool(self.front)
            self.back.cmd("port stop all")
            check_pool(self.back)
            self.front.quit()
            self.back.quit()
        finally:
            self.kill()

    def kill(self):
        for process in (self.front, self.back):
            if process is not None:
                process.kill()


def check_pool(process):
    available, size = process.pool()
    assert available == size, "%s: %d of %d mbufs are in the pool" % (process.name, available, size)
