# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A scripted vhost-user back end: well-behaved by default, and wrong in one way when told so.

It speaks the protocol only; no ring is ever read. What it received stays for inspection.
"""
import fcntl
import os
import re
import socket
import struct
import threading

HEADER = struct.Struct("<III")
VERSION, REPLY, NEED_REPLY = 0x1, 0x4, 0x8
REQUESTS = {
    1: "GET_FEATURES", 2: "SET_FEATURES", 3: "SET_OWNER", 4: "RESET_OWNER", 5: "SET_MEM_TABLE",
    8: "SET_VRING_NUM", 9: "SET_VRING_ADDR", 10: "SET_VRING_BASE", 11: "GET_VRING_BASE",
    12: "SET_VRING_KICK", 13: "SET_VRING_CALL", 14: "SET_VRING_ERR",
    15: "GET_PROTOCOL_FEATURES", 16: "SET_PROTOCOL_FEATURES", 17: "GET_QUEUE_NUM",
    18: "SET_VRING_ENABLE", 20: "NET_SET_MTU", 24: "GET_CONFIG", 25: "SET_CONFIG",
    34: "RESET_DEVICE", 36: "GET_MAX_MEM_SLOTS", 37: "ADD_MEM_REG", 38: "REM_MEM_REG",
    39: "SET_STATUS", 40: "GET_STATUS",
}


def bits(*numbers):
    return sum(1 << number for number in numbers)


F_MRG_RXBUF, F_MQ, F_INDIRECT, F_EVENT_IDX, F_PROTOCOL = 15, 22, 28, 29, 30
F_VERSION_1, F_RING_PACKED, F_IN_ORDER = 32, 34, 35
FEATURES = bits(F_MRG_RXBUF, F_MQ, F_INDIRECT, F_EVENT_IDX, F_PROTOCOL, F_VERSION_1,
    F_RING_PACKED, F_IN_ORDER)
P_MQ, P_REPLY_ACK, P_STATUS = 0, 3, 16
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


class FakeBackend(threading.Thread):
    """close_at, silent_at: a request's name, or the number of a message counted from 0, at which
    the connection is closed, or never served again. nack: requests answered by an error.
    withheld: names of requests that are not answered as long as they are in here."""

    def __init__(self, path, features=FEATURES, protocol_features=PROTOCOL_FEATURES, queue_num=8,
            close_at=None, silent_at=None, nack=(), reply_size=None):
        super().__init__(daemon=True)
        self.path = path
        self.features = features
        self.protocol_features = protocol_features
        self.queue_num = queue_num
        self.close_at, self.silent_at = close_at, silent_at
        self.nack = set(nack)
        self.withheld = set()
        self.reply_size = dict(reply_size or {})
        self.messages = []     # names in the order of arrival
        self.need_reply = []   # those of them that asked for an acknowledgement
        self.unknown = []      # numbers that no specification has
        self.regions = []
        self.vring_addr = {}
        self.calls = {}        # eventfd to interrupt by, or None
        self.vring_num = {}
        self.acked_features = self.acked_protocol = 0
        self.status = 0
        self.error = None      # what went wrong in this script, not in the driver
        self.over = threading.Event()
        self.fds = []
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(4)
        self.listener.settimeout(0.1)
        self.start()

    def run(self):
        try:
            while not self.over.is_set():
                try:
                    connection, _ = self.listener.accept()
                except socket.timeout:
                    continue
                try:
                    with connection:
                        connection.settimeout(0.1)
                        self.serve(connection)
                except ConnectionError:
                    pass  # the driver went away in the middle; another one may come
        except Exception as error:  # a test asks for it
            self.error = error

    def receive(self, connection, length, fds):
        data = b""
        while len(data) < length and not self.over.is_set():
            try:
                part, new, _, _ = socket.recv_fds(connection, length - len(data), 16)
            except socket.timeout:
                continue
            except ConnectionError:
                return None
            fds += new
            self.fds += new
            if not part:
                return None
            data += part
        return data if len(data) == length else None

    def serve(self, connection):
        while True:
            fds = []
            header = self.receive(connection, HEADER.size, fds)
            if header is None:
                return
            number, flags, size = HEADER.unpack(header)
            payload = self.receive(connection, size, fds) if size else b""
            if payload is None:
                return
            name = REQUESTS.get(number)
            if name is None:
                self.unknown.append(number)
                continue
            index = len(self.messages)
            self.messages.append(name)
            if flags & NEED_REPLY:
                self.need_reply.append(name)
            if self.close_at in (name, index):
                return
            if self.silent_at in (name, index):
                self.over.wait()
                return
            answer = getattr(self, "on_" + name.lower(), lambda *_: None)(payload, fds)
            if answer is None and flags & NEED_REPLY and self.acked_protocol & bits(P_REPLY_ACK):
                answer = struct.pack("<Q", int(name in self.nack))
            while name in self.withheld and not self.over.wait(0.01):
                pass
            if answer is not None:
                size = self.reply_size.get(name, len(answer))
                connection.sendall(HEADER.pack(number, VERSION | REPLY, size) + answer)

    def on_get_features(self, _payload, _fds):
        return struct.pack("<Q", self.features)

    def on_set_features(self, payload, _fds):
        self.acked_features = struct.unpack("<Q", payload)[0]

    def on_get_protocol_features(self, _payload, _fds):
        return struct.pack("<Q", self.protocol_features)

    def on_set_protocol_features(self, payload, _fds):
        self.acked_protocol = struct.unpack("<Q", payload)[0]

    def on_get_queue_num(self, _payload, _fds):
        return struct.pack("<Q", self.queue_num)

    def on_get_max_mem_slots(self, _payload, _fds):
        return struct.pack("<Q", 8)

    def on_get_config(self, payload, _fds):
        return payload

    def on_set_status(self, payload, _fds):
        self.status = struct.unpack("<Q", payload)[0]

    def on_get_status(self, _payload, _fds):
        return struct.pack("<Q", self.status)

    def on_get_vring_base(self, payload, _fds):
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

    def on_set_mem_table(self, payload, fds):
        count = struct.unpack_from("<I", payload)[0]
        assert count == len(fds), "%d regions with %d fds" % (count, len(fds))
        self.regions = [Region(payload[8 + 32 * i:40 + 32 * i], fd) for i, fd in enumerate(fds)]

    def on_add_mem_reg(self, payload, fds):
        assert len(fds) == 1
        self.regions.append(Region(payload[8:40], fds[0]))

    def on_rem_mem_reg(self, payload, _fds):
        gone = struct.unpack_from("<QQQ", payload, 8)
        self.regions = [r for r in self.regions if (r.device, r.size, r.user) != gone]

    def ready(self):
        """The driver has come to the end: DRIVER_OK, or queues enabled where there is no status."""
        if self.acked_protocol & bits(P_STATUS):
            return self.status & STATUS_DRIVER_OK
        return "SET_VRING_ENABLE" in self.messages

    def close(self):
        self.over.set()
        self.join(5)
        self.listener.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []


STEPS = "|".join(re.escape(name) for name in REQUESTS.values())
