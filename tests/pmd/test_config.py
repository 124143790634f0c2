# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The configuration space of a vhost-user back end: looked at before it is believed, and read again when it changes."""
import os
import socket
import struct
import time

import pytest

from fake_backend import FEATURES, HEADER, PROTOCOL_FEATURES, VERSION, Connection, FakeBackend, bits
from refusal import has_port, one_line_says, run_front
from testpmd import VDEV, wait_for

pytestmark = pytest.mark.sluice
F_MTU, F_MAC, F_STATUS = 3, 5, 16
P_BACKEND_REQ, P_CONFIG = 5, 9
CHANGED = HEADER.pack(2, VERSION, 0)
MAC = "02:11:22:33:44:55"


class ConfigConnection(Connection):
    def on_get_config(self, payload, _fds):
        of = self.backend
        config = struct.pack("<6sHHH", bytes.fromhex(of.mac.replace(":", "")), int(of.link), 1, of.mtu)
        return payload[:12] + config if of.size is None else (payload[:12] + config)[:of.size]

    def on_set_backend_req_fd(self, _payload, fds):
        assert len(fds) == 1
        self.backend.requests = socket.socket(fileno=os.dup(fds[0]))


class WithConfig(FakeBackend):
    """Has a configuration space, and tells of its changes; size: of what it answers"""
    kind = ConfigConnection

    def __init__(self, path, mac=MAC, mtu=1500, link=True, size=None, **how):
        self.mac, self.mtu, self.link, self.size = mac, mtu, link, size
        self.requests = None    # the socket for requests of the back end
        super().__init__(path, features=FEATURES | bits(F_MAC, F_MTU, F_STATUS),
            protocol_features=PROTOCOL_FEATURES | bits(P_CONFIG, P_BACKEND_REQ), **how)


@pytest.fixture
def backend(folder):
    running = []

    def start(**how):
        running.append(WithConfig(os.path.join(folder, "c.sock"), **how))
        return running[-1]
    yield start
    for one in running:
        one.close()
        if one.requests:
            one.requests.close()


@pytest.mark.parametrize("how,says", [({"mtu": 10}, "MTU of 10 is below 68"), ({"mtu": 0}, "MTU of 0 "),
    ({"mac": "01:00:5e:00:00:01"}, "MAC address is no unicast"), ({"mac": "00:00:00:00:00:00"}, "MAC address is no")],
    ids=["mtu-10", "mtu-0", "multicast", "zero"])
def test_what_cannot_be_is_refused(backend, how, says):
    log, _ = run_front("path=" + backend(**how).path)
    assert not has_port(log)
    one_line_says(log, "path=", "the back end's", says)


@pytest.mark.parametrize("size", [1, 12, 18, 23])
def test_a_part_of_the_configuration_is_refused(backend, size):
    log, _ = run_front("path=" + backend(size=size).path)
    assert not has_port(log)
    one_line_says(log, "path=", "GET_CONFIG failed", "the answer is not what the protocol demands")


def test_no_configuration_is_no_error(backend, testpmds):
    one = backend(size=0)
    front = testpmds(["%s0,path=%s" % (VDEV, one.path)], front=True)
    wait_for(one.ready, 5, "negotiation")
    assert front.link_up()
    front.quit()
    assert one.error is None


def test_the_configuration_is_taken(backend, testpmds):
    one = backend(mtu=1400)
    front = testpmds(["%s0,path=%s" % (VDEV, one.path)], front=True)
    assert front.info()["MAC address"] == MAC
    assert front.info()["Max possible MTU"] == "1400" if "Max possible MTU" in front.info() else True
    front.quit()


def test_changes_are_read(backend, testpmds):
    """Link and MTU; the connection stays."""
    one = backend()
    front = testpmds(["%s0,path=%s" % (VDEV, one.path)], front=True)
    wait_for(one.ready, 5, "negotiation")
    wait_for(front.link_up, 5, "link")
    for times, up in enumerate((False, True, False, True), 1):
        one.link = up
        one.requests.sendall(CHANGED)
        wait_for(lambda u=up: front.link_up() == u, 5, "link up: %s" % up)
        wait_for(lambda t=times: front.log().count("link state change event") >= t, 5, "event %d" % times)
    one.mtu = 1300
    one.requests.sendall(CHANGED)
    wait_for(lambda: one.messages.count("GET_CONFIG") >= 6, 5, "configuration read again")
    assert one.messages.count("SET_OWNER") == 1
    front.quit()
    assert one.error is None


@pytest.mark.parametrize("bad", [HEADER.pack(2, VERSION, 8) + bytes(8), HEADER.pack(2, 0, 0),
    HEADER.pack(2, VERSION, 1 << 31)], ids=["size", "version", "huge"])
def test_a_bad_request_ends_its_channel_only(backend, testpmds, bad):
    one = backend()
    front = testpmds(["%s0,path=%s" % (VDEV, one.path)], front=True)
    wait_for(one.ready, 5, "negotiation")
    one.requests.sendall(bad)
    front.wait_log("channel for changes.*ended")
    assert one.requests.recv(1) == b""
    assert front.link_up()
    front.quit()
    assert one.messages.count("SET_OWNER") == 1


@pytest.mark.parametrize("end", ["bad", "closed"])
def test_a_link_of_which_nobody_tells_is_up(backend, testpmds, end):
    """It was down when the channel for changes ended"""
    one = backend(link=False)
    front = testpmds(["%s0,path=%s" % (VDEV, one.path)], front=True)
    wait_for(one.ready, 5, "negotiation")
    assert not front.link_up()
    if end == "bad":
        one.requests.sendall(HEADER.pack(2, VERSION, 8) + bytes(8))
    else:
        one.requests.shutdown(socket.SHUT_RDWR)
    front.wait_log("channel for changes.*ended")
    wait_for(front.link_up, 5, "link")
    front.quit()
    assert one.messages.count("SET_OWNER") == 1


def test_a_flood_is_read_slowly(backend, testpmds):
    one = backend()
    front = testpmds(["%s0,path=%s" % (VDEV, one.path)], front=True)
    wait_for(one.ready, 5, "negotiation")
    before, end = one.messages.count("GET_CONFIG"), time.monotonic() + 2
    one.requests.settimeout(0.1)
    while time.monotonic() < end:
        try:
            one.requests.send(CHANGED * 64)
        except socket.timeout:
            pass
    assert one.messages.count("GET_CONFIG") - before <= 25, "ten times per second"
    assert front.link_up()
    front.quit()


def test_permissions_of_a_servers_socket(folder, testpmds):
    path = os.path.join(folder, "s.sock")
    front = testpmds(["%s0,path=%s,server=1,socket_mode=0620,socket_group=nogroup" % (VDEV, path)], front=True)
    status = os.stat(path)
    assert status.st_mode & 0o7777 == 0o620
    assert status.st_gid == 65534
    front.quit()
    assert not os.path.exists(path)


@pytest.mark.parametrize("devargs,says", [("server=1,socket_mode=rw", "octal"), ("server=1,socket_group=nobodys", "name or "),
    ("socket_mode=0660", "server=1"), ("socket_group=root", "server=1")])
def test_bad_permissions_are_refused(fake, devargs, says):
    log, _ = run_front("path=%s,%s" % (fake().path, devargs))
    assert not has_port(log)
    one_line_says(log, "socket_", says)
