# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A scripted vhost-user back end: well-behaved by default, and wrong in one way when told so.

It speaks the protocol, and uses rings only when it is given a mode of fake_rings.Traffic. What it received stays for
inspection. Each connection has a thread of its own, so one that hangs does not keep the next one waiting.
"""
import collections
import fcntl
import os
import re
import socket
import struct
import threading
import time

from fake_rings import Memory, PackedRing, SplitRing, Traffic

HEADER = struct.Struct("<III")
VERSION, REPLY, NEED_REPLY = 0x1, 0x4, 0x8
REQUESTS = {
    1: "GET_FEATURES", 2: "SET_FEATURES", 3: "SET_OWNER", 4: "RESET_OWNER", 5: "SET_MEM_TABLE",
    8: "SET_VRING_NUM", 9: "SET_VRING_ADDR", 10: "SET_VRING_BASE", 11: "GET_VRING_BASE",
    12: "SET_VRING_KICK", 13: "SET_VRING_CALL", 14: "SET_VRING_ERR",
    15: "GET_PROTOCOL_FEATURES", 16: "SET_PROTOCOL_FEATURES", 17: "GET_QUEUE_NUM",
    18: "SET_VRING_ENABLE", 20: "NET_SET_MTU", 21: "SET_BACKEND_REQ_FD", 24: "GET_CONFIG",
    25: "SET_CONFIG", 34: "RESET_DEVICE", 36: "GET_MAX_MEM_SLOTS", 37: "ADD_MEM_REG", 38: "REM_MEM_REG",
    39: "SET_STATUS", 40: "GET_STATUS",
}


def bits(*numbers):
    return sum(1 << number for number in numbers)


F_MRG_RXBUF, F_MQ, F_INDIRECT, F_EVENT_IDX, F_PROTOCOL = 15, 22, 28, 29, 30
F_VERSION_1, F_RING_PACKED, F_IN_ORDER = 32, 34, 35
FEATURES = bits(F_MRG_RXBUF, F_MQ, F_INDIRECT, F_EVENT_IDX, F_PROTOCOL, F_VERSION_1,
    F_RING_PACKED, F_IN_ORDER)
P_MQ, P_REPLY_ACK, P_STATUS, P_GPA_ADDRESSES = 0, 3, 16, 21
PROTOCOL_FEATURES = bits(P_MQ, P_REPLY_ACK, P_STATUS)
STATUS_DRIVER_OK = 0x4


class Region:
    def __init__(self, packed, fd):
        self.device, self.size, self.user, self.offset = struct.unpack("<QQQQ", packed)
        self.fd = fd
        self.file_size = os.fstat(fd).st_size

    def seals(self):
        """The file's seals; 0 if it is one that cannot have any."""
        try:
            return fcntl.fcntl(self.fd, fcntl.F_GET_SEALS)
        except OSError:
            return 0

    def holds(self, address, length=1):
        return self.user <= address and address + length <= self.user + self.size

# Requests that name a ring first.
OF_RING = {"SET_VRING_NUM", "SET_VRING_ADDR", "SET_VRING_BASE", "GET_VRING_BASE", "SET_VRING_KICK", "SET_VRING_CALL",
    "SET_VRING_ERR", "SET_VRING_ENABLE"}


EACH = "each"


class Fault(collections.namedtuple("Fault", "step how ring connection seconds", defaults=(None, None, 6))):
    """What goes wrong at a request: step is its name, or its number in a connection counted from 0, or EACH; ring and
    connection, both counted from 0, restrict it. how:
        silent    nothing is answered any more, nor is the end of the connection noticed
        late      answered after so many seconds
        close     the connection is closed
        refuse    answered by an error
        early     bytes that nobody asked for come first
        trailing  bytes that nobody asked for follow
        size, flags, request    a wrong value in the header of the answer
        fds       a descriptor comes with the answer
    """

    def concerns(self, step, index, ring, connection):
        return (self.step in (EACH, step, index) and self.ring in (None, ring)
            and self.connection in (None, connection))


GARBAGE = ("early", "trailing", "size", "flags", "request", "fds")


class Connection(threading.Thread):
    """One connection: what was agreed on, and what the driver has shown."""

    def __init__(self, backend, sock):
        super().__init__(daemon=True)
        self.backend, self.sock = backend, sock
        self.number = len(backend.connections)
        self.messages = []     # names in the order of arrival
        self.need_reply = []   # those of them that asked for an acknowledgement
        self.unknown = []      # numbers that no specification has
        self.regions = []
        self.vring_addr = {}
        self.vring_base = {}
        self.calls = {}        # eventfd to interrupt by, or None
        self.kicks = {}        # eventfd by which the driver wakes this side
        self.vring_num = {}
        self.enabled = set()
        self.acked_features = self.acked_protocol = 0
        self.status = 0
        self.fds = []
        self.stream = bytearray()  # all that came
        self.is_over = False   # the driver has ended it, or this script
        self.is_silent = False # until this script ends it
        self.is_ended = False
        self.traffic = self.last_traffic = None
        self.moving = threading.Lock()  # held during a step of traffic
        sock.settimeout(0.1)

    def run(self):
        try:
            self.serve()
        except ConnectionError:
            pass  # the driver went away in the middle; another one may come
        except Exception as error:  # a test asks for it
            self.backend.error = error
        finally:
            self.halt()
            self.is_over = True
            self.sock.close()

    def receive(self, length, fds):
        data = b""
        while len(data) < length and not self.backend.over.is_set():
            try:
                part, new, _, _ = socket.recv_fds(self.sock, length - len(data), 16)
            except socket.timeout:
                continue
            except ConnectionError:
                return None
            fds += new
            self.fds += new
            if not part:
                return None
            data += part
            self.stream += part
        return data if len(data) == length else None

    def serve(self):
        while True:
            fds = []
            header = self.receive(HEADER.size, fds)
            if header is None:
                return
            number, flags, size = HEADER.unpack(header)
            payload = self.receive(size, fds) if size else b""
            if payload is None:
                return
            name = REQUESTS.get(number)
            if name is None:
                self.unknown.append(number)
                continue
            ring = payload[0] if name in OF_RING else None
            how, seconds = self.backend.fault(name, len(self.messages), ring, self.number)
            self.messages.append(name)
            if flags & NEED_REPLY:
                self.need_reply.append(name)
            if how == "close":
                return
            if how == "silent":
                self.is_silent = True
                while not self.is_ended and not self.backend.over.wait(0.02):
                    pass
                return
            if how == "late":
                self.backend.over.wait(seconds)
            answer = getattr(self, "on_" + name.lower(), lambda *_: None)(payload, fds)
            if answer is None and flags & NEED_REPLY and self.acked_protocol & bits(P_REPLY_ACK):
                answer = struct.pack("<Q", int(how == "refuse"))
            while name in self.backend.withheld and not self.backend.over.wait(0.01):
                pass
            if answer is not None:
                self.reply(number, answer, how, self.backend.reply_size.get(name, len(answer)))
            self.move()

    def reply(self, number, answer, how, size):
        flags = VERSION | REPLY
        if how == "early":
            self.sock.sendall(b"\xee" * 4)
        if how == "size":
            size += 8
        if how == "flags":
            flags = VERSION
        if how == "request":
            number += 1
        data = HEADER.pack(number, flags, size) + answer
        if how == "trailing":
            data += b"\xee" * 4
        if how == "fds":
            try:
                socket.send_fds(self.sock, [data], [self.sock.fileno()])
            except PermissionError:     # from Linux 6.16 on the port's socket takes none
                self.sock.sendall(data + b"\xee" * 4)
        else:
            self.sock.sendall(data)

    def on_get_features(self, _payload, _fds):
        return struct.pack("<Q", self.backend.features)

    def on_set_features(self, payload, _fds):
        self.acked_features = struct.unpack("<Q", payload)[0]

    def on_get_protocol_features(self, _payload, _fds):
        return struct.pack("<Q", self.backend.protocol_features)

    def on_set_protocol_features(self, payload, _fds):
        self.acked_protocol = struct.unpack("<Q", payload)[0]

    def on_get_queue_num(self, _payload, _fds):
        return struct.pack("<Q", self.backend.queue_num)

    def on_get_max_mem_slots(self, _payload, _fds):
        return struct.pack("<Q", 8)

    def on_get_config(self, payload, _fds):
        return payload

    def on_set_status(self, payload, _fds):
        self.status = struct.unpack("<Q", payload)[0]

    def on_get_status(self, _payload, _fds):
        return struct.pack("<Q", self.status)

    def on_set_vring_base(self, payload, _fds):
        index, base = struct.unpack("<II", payload)
        self.vring_base[index] = base

    def on_set_vring_enable(self, payload, _fds):
        index, is_on = struct.unpack("<II", payload)
        if is_on:
            self.enabled.add(index)
        else:
            self.enabled.discard(index)
            self.halt()

    def on_get_vring_base(self, payload, _fds):
        self.halt()
        return struct.pack("<II", struct.unpack_from("<I", payload)[0], 0)

    def on_set_vring_num(self, payload, _fds):
        index, size = struct.unpack("<II", payload)
        self.vring_num[index] = size

    def on_set_vring_addr(self, payload, _fds):
        index, _, desc, used, avail, _ = struct.unpack("<IIQQQQ", payload)
        self.vring_addr[index] = (desc, avail, used)

    def on_set_vring_call(self, payload, fds):
        index = struct.unpack("<Q", payload)[0]
        assert bool(index & 0x100) != bool(fds), "%#x with %d descriptors" % (index, len(fds))
        self.calls[index & 0xff] = fds[0] if fds else None

    def on_set_vring_kick(self, payload, fds):
        index = struct.unpack("<Q", payload)[0]
        self.kicks[index & 0xff] = fds[0] if fds else None

    def on_set_mem_table(self, payload, fds):
        count = struct.unpack_from("<I", payload)[0]
        assert count == len(fds), "%d regions with %d fds" % (count, len(fds))
        self.regions = [Region(payload[8 + 32 * i:40 + 32 * i], fd) for i, fd in enumerate(fds)]
        self.remap()

    def on_add_mem_reg(self, payload, fds):
        assert len(fds) == 1
        self.regions.append(Region(payload[8:40], fds[0]))
        self.remap()

    def on_rem_mem_reg(self, payload, _fds):
        gone = struct.unpack_from("<QQQ", payload, 8)
        self.regions = [r for r in self.regions if (r.device, r.size, r.user) != gone]

    def ready(self):
        """The driver has come to the end: DRIVER_OK, or queues enabled where there is no status."""
        if self.acked_protocol & bits(P_STATUS):
            return self.status & STATUS_DRIVER_OK
        return "SET_VRING_ENABLE" in self.messages

    def move(self):
        """Begins to use the rings, once they are ready and if that is wanted."""
        may = 0 in self.enabled if self.backend.is_eager else self.ready() and {0, 1} <= self.enabled
        if self.backend.traffic is None or self.traffic is not None or not may:
            return
        kind = PackedRing if self.acked_features & bits(F_RING_PACKED) else SplitRing
        memory = Memory(self.regions)
        self.traffic = self.last_traffic = Traffic(self.backend.traffic,
            *[kind(memory, self.vring_num[i], self.vring_addr[i]) for i in (0, 1)])
        threading.Thread(target=self.pump, args=[self.traffic], daemon=True).start()

    def pump(self, traffic):
        while not self.backend.over.is_set():
            with self.moving:
                if self.traffic is not traffic:
                    return
                try:
                    pause = traffic.step()
                except Exception as error:  # a test asks for it
                    self.backend.error = error
                    return
            time.sleep(pause)

    def remap(self):
        """Rings that are in use find what was shown since."""
        with self.moving:
            if self.traffic is not None:
                self.traffic.to_front.memory = self.traffic.from_front.memory = Memory(self.regions)

    def halt(self):
        """On return the rings are not used any more, unless this back end is one that does not care."""
        with self.moving:
            if not self.backend.is_stubborn:
                self.traffic = None

    def end(self):
        """Closes the connection, whoever waits for it."""
        self.is_ended = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed

    def forget(self):
        """Closes what came with it, if it is over: there may be many."""
        while self.is_over and self.fds:
            os.close(self.fds.pop())


class FakeBackend(threading.Thread):
    """close_at, silent_at, nack: short for faults: steps at which the connection is closed, or never served again,
    and requests answered by an error. faults can be replaced at any time. withheld: names of requests that are not
    answered as long as they are in here. traffic: a mode of fake_rings.Traffic.
    is_client: connects, and does so again as soon as a connection is over. is_eager: uses the receive ring before the
    others are ready. is_stubborn: goes on using rings after it was told to stop, or cut off."""
    kind = Connection

    def __init__(self, path, features=FEATURES, protocol_features=PROTOCOL_FEATURES, queue_num=8,
            close_at=None, silent_at=None, nack=(), reply_size=None, faults=(), traffic=None, is_client=False,
            is_eager=False, is_stubborn=False):
        super().__init__(daemon=True)
        self.path = path
        self.features = features
        self.protocol_features = protocol_features
        self.queue_num = queue_num
        self.nack = set(nack)
        self.faults = list(faults)
        self.faults += [Fault(step, how) for step, how in ((close_at, "close"), (silent_at, "silent"))
            if step is not None]
        self.withheld = set()
        self.reply_size = dict(reply_size or {})
        self.traffic = traffic
        self.is_client, self.is_eager, self.is_stubborn = is_client, is_eager, is_stubborn
        self.connections = []
        self.error = None      # what went wrong in this script, not in the driver
        self.over = threading.Event()
        if not is_client:
            if os.path.exists(path):
                os.unlink(path)
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(path)
            self.listener.listen(4)
            self.listener.settimeout(0.1)
        self.start()

    def run(self):
        while not self.over.is_set():
            sock = self.reach() if self.is_client else self.accept()
            if sock is None:
                continue
            connection = self.kind(self, sock)
            self.connections.append(connection)
            for old in self.connections[:-2]:
                old.forget()
            connection.start()
            while self.is_client and connection.is_alive() and not connection.is_silent:
                connection.join(0.02)

    def accept(self):
        try:
            return self.listener.accept()[0]
        except socket.timeout:
            return None

    def reach(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(self.path)
            return sock
        except OSError:
            sock.close()
            self.over.wait(0.02)
            return None

    def fault(self, *where):
        """(how, seconds) of the first fault that concerns a message"""
        for fault in self.faults:
            if fault.concerns(*where):
                return fault.how, fault.seconds
        return "refuse" if where[0] in self.nack else None, 0

    @property
    def now(self):
        """The connection that came last."""
        return self.connections[-1]

    def __getattr__(self, name):
        """What is known of a connection, of that which came last; lists of messages, of all together."""
        connections = self.__dict__.get("connections")
        if connections is None or name.startswith("_"):
            raise AttributeError(name)
        if name in ("messages", "need_reply", "unknown"):
            return [item for connection in connections for item in getattr(connection, name)]
        if not connections:
            raise AttributeError("%s: nobody has connected" % name)
        return getattr(connections[-1], name)

    def ready(self):
        return bool(self.connections) and self.now.ready()

    def hang_up(self):
        """The connection ends, from this side."""
        self.now.end()

    def close(self):
        self.over.set()
        self.join(5)
        if not self.is_client:
            self.listener.close()
        for connection in self.connections:
            connection.end()
            connection.join(5)
            connection.forget()


STEPS = "|".join(re.escape(name) for name in REQUESTS.values())
