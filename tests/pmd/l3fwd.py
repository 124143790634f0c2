# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Programs that sleep when there is nothing to do: DPDK's example l3fwd-power in its interrupt mode, a router; and
sleeper.c, which echoes."""
import os
import random
import re
import signal
import struct

from testpmd import BUILD, PLUGIN, Testpmd, lcores, serial

SLEEPER = os.path.join(BUILD, "tests", "sleeper")
PROGRAM = os.path.join(BUILD, "app", "examples", "l3fwd-power")


def app_args(queues=1):
    """Queue n belongs to lcore n, since each lcore must have a transmit queue to empty. Packet types are the port's."""
    config = ",".join("(0,%d,%d)" % (q, q) for q in range(queues))
    return ["-p", "0x1", "-P", "--interrupt-only", "--config=" + config]


class Waking:
    """What l3fwd-power says of its sleep."""

    def wakes(self, queue=0, port=0):
        return len(re.findall("is waked up from rx interrupt on port %d queue %d" % (port, queue),
            self.log()))

    def address(self, port=0):
        """MAC address of a port"""
        text = re.findall(r"Address:([0-9A-F:]{17})", self.log())[port]
        return bytes.fromhex(text.replace(":", ""))


class Other(Testpmd):
    """A program with EAL that is no testpmd; SIGINT ends it."""

    def __init__(self, program, vdev, cores=1, args=()):
        self.name = os.path.basename(program)
        self.prefix = "sluice_%d_%d" % (os.getpid(), next(serial))
        # One file for all of the pool: a back end takes few regions.
        self.launch([program, "--lcores", lcores(cores), "--main-lcore", "0", "--no-pci", "--iova-mode=va",
            "--no-telemetry", "--file-prefix", self.prefix, "--in-memory", "--single-file-segments",
            "-d", os.path.basename(PLUGIN), "--vdev", vdev] + list(args), False)

    def quit(self, timeout=15):
        self.process.send_signal(signal.SIGINT)
        status = self.wait_end(timeout)
        self.clean()
        if status != 0:
            raise self.trouble(AssertionError, "did not end well (%d)" % status)


class L3fwd(Waking, Other):
    def __init__(self, vdev, queues=1):
        super().__init__(PROGRAM, vdev, queues, ["--"] + app_args(queues))


class Sleeper(Other):
    """sleeper.c"""

    def __init__(self, vdev):
        super().__init__(SLEEPER, vdev)
        self.wait_log("sleeper: ready", 30)

    def quit(self, timeout=15):
        """What it counted."""
        super().quit(timeout)
        return counts(self.log())


def counts(log):
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)",
        re.search("sleeper: packets=.*", log).group(0))}


def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def make(count, seed=1, flows=1):
    """UDP packets to 1.1.1.0/24, which l3fwd-power sends out of port 0."""
    rng = random.Random(seed)
    frames = []
    for seq in range(count):
        data = struct.pack(">II", seed, seq) + rng.randbytes(rng.randint(12, 1000))
        udp = struct.pack(">HHHH", 1000 + seq % flows, 2000, 8 + len(data), 0) + data
        head = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), seq & 0xffff, 0, 64, 17, 0,
            bytes((10, 0, 0, 1)), bytes((1, 1, 1, 1 + seq % 250))))
        head[10:12] = struct.pack(">H", checksum(head))
        frames.append(bytes.fromhex("0200000000bb0200000000aa0800") + bytes(head) + udp)
    return frames


def seed_of(frame):
    return frame[42:46]


def routed(frame, mac, port=0):
    """What comes of it: next hop and own address, one hop less. The program leaves the check of the checksum to the
    port, and adds the hop to it, as to a number of the machine."""
    head = bytearray(frame[14:34])
    head[8] -= 1
    head[10:12] = struct.pack("<H", (struct.unpack("<H", head[10:12])[0] + 1) & 0xffff)
    return bytes((2, 0, 0, 0, 0, port)) + mac + frame[12:14] + bytes(head) + frame[34:]
