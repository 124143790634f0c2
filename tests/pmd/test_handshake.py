# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Back ends that are absent, refuse, keep silent, go away or offer too little."""
import os
import re
import socket
import time

import pytest

from fake_backend import (F_PROTOCOL, F_VERSION_1, FEATURES, P_MQ, P_REPLY_ACK, PROTOCOL_FEATURES,
    STEPS, bits)
from pair import Config
from refusal import has_port, one_line_says, run_front
from testpmd import VDEV, wait_for

LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
GONE = r"clos|disconnect|reset|broken pipe|end of file|hung up|went away|gone"


@LAYOUTS
def test_well_behaved(fake, testpmds, packed):
    """The positive control for everything below: the same script without a fault."""
    backend = fake()
    front = testpmds(["%s0,path=%s,packed_vq=%d" % (VDEV, backend.path, packed)], front=True)
    wait_for(backend.ready, 5, "negotiation")
    assert front.link_up()
    front.quit()
    assert backend.error is None and not backend.unknown
    assert backend.acked_features & bits(F_VERSION_1)
    assert not backend.acked_features & ~backend.features
    assert not backend.acked_protocol & ~backend.protocol_features


@LAYOUTS
def test_without_protocol_features(fake, testpmds, packed):
    backend = fake(features=FEATURES & ~bits(F_PROTOCOL))
    front = testpmds(["%s0,path=%s,packed_vq=%d" % (VDEV, backend.path, packed)], front=True)
    assert front.link_up()
    front.quit()
    assert backend.error is None
    assert "SET_VRING_KICK" in backend.messages
    assert "GET_PROTOCOL_FEATURES" not in backend.messages


def test_socket_missing(folder):
    path = os.path.join(folder, "none.sock")
    log, _ = run_front("path=" + path)
    assert not has_port(log)
    assert path in log and "No such file" in log and "connect" in log


@pytest.mark.parametrize("kind", [pytest.param("file", marks=pytest.mark.sluice),
    pytest.param("folder", marks=pytest.mark.sluice), "stale"])
def test_not_a_listening_socket(folder, kind):
    path = os.path.join(folder, "v.sock")
    if kind == "file":
        open(path, "w").close()
    elif kind == "folder":
        os.mkdir(path)
    else:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
            stale.bind(path)
    log, _ = run_front("path=" + path)
    assert not has_port(log)
    assert path in log and re.search("refused|not a socket", log, re.I)


@pytest.mark.sluice
def test_missing_socket_in_one_line(folder):
    path = os.path.join(folder, "none.sock")
    log, _ = run_front("path=" + path)
    one_line_says(log, re.escape(path), "connect", "No such file")


@pytest.mark.sluice
@pytest.mark.parametrize("devargs,step,remedy", [("path=none.sock", "connect", "start the back end first, or give server=1"),
    ("path=stale.sock", "connect", "start the back end first, or give server=1"),
    ("path=no/v.sock,server=1", "listen", "folder is missing"), ("path=used.sock,server=1", "listen", "give another path")])
def test_who_is_not_there_is_told_with_the_remedy(folder, devargs, step, remedy):
    """The first message that most users meet: its line says what to do."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as used:
        used.bind(os.path.join(folder, "used.sock"))
        used.listen(1)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
            stale.bind(os.path.join(folder, "stale.sock"))
        log, _ = run_front(devargs.replace("path=", "path=%s/" % folder))
    assert not has_port(log)
    one_line_says(log, re.escape(folder), step + " failed", remedy)


@pytest.mark.sluice
@pytest.mark.parametrize("step", ["GET_FEATURES", "GET_PROTOCOL_FEATURES", "GET_QUEUE_NUM",
    "SET_MEM_TABLE"])
def test_silent_from(fake, step):
    """The deadline's message says how far things came."""
    backend = fake(silent_at=step)
    start = time.monotonic()
    log, _ = run_front("path=%s,queues=2" % backend.path)
    assert time.monotonic() - start < 20
    assert backend.messages[-1] == step, backend.messages
    one_line_says(log, re.escape(backend.path), step, r"\bs\b|ms\b|second|deadline|time")


@pytest.mark.sluice
def test_never_accepted(folder):
    """A listener whose program sleeps: the connection opens, and nobody ever reads."""
    path = os.path.join(folder, "v.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(1)
        log, _ = run_front("path=" + path)
    assert not has_port(log)
    one_line_says(log, re.escape(path), STEPS + "|connect")


@pytest.mark.sluice
@LAYOUTS
def test_closing_at_each_message(fake, packed):
    """First a whole run to learn the messages, then one run for the first of each kind."""
    backend = fake()
    log, _ = run_front("path=%s,queues=2,packed_vq=%d" % (backend.path, packed))
    assert has_port(log)
    assert backend.error is None
    whole = list(backend.messages)
    ready = max(i for i, name in enumerate(whole) if name in ("SET_VRING_KICK", "SET_MEM_TABLE"))
    backend.close()
    kinds = [i for i, name in enumerate(whole) if name not in whole[:i]]
    assert len(kinds) >= 9, whole
    for index in kinds:
        backend = fake(close_at=index)
        log, status = run_front("path=%s,queues=2,packed_vq=%d" % (backend.path, packed))
        assert len(backend.messages) > index, whole[index]
        if index < ready:
            # Before the rings are up the driver always has more to say, so it must notice.
            one_line_says(log, re.escape(backend.path), GONE, STEPS)
            assert not has_port(log) or status != 0 or re.search("fail", log, re.I), whole[index]
        backend.close()


@pytest.mark.sluice
@pytest.mark.parametrize("step", ["SET_MEM_TABLE", "SET_VRING_ADDR"])
def test_refusing_an_acknowledged_request(fake, step):
    backend = fake(nack=[step])
    log, status = run_front("path=" + backend.path)
    if step not in backend.need_reply:
        assert step != "SET_MEM_TABLE", "a memory table without acknowledgement is a black hole"
        pytest.skip("the driver asks for no acknowledgement of " + step)
    one_line_says(log, re.escape(backend.path), step)
    assert status != 0 or re.search("fail", log, re.I)


@pytest.mark.sluice
@pytest.mark.parametrize("size", [0, 4, 16, 0x7fffffff])
def test_reply_of_a_wrong_size(fake, size):
    backend = fake(reply_size={"GET_FEATURES": size})
    log, _ = run_front("path=" + backend.path)
    assert not has_port(log)
    one_line_says(log, re.escape(backend.path), "GET_FEATURES", "answer|reply|size")


@pytest.mark.sluice
def test_no_version_1(fake):
    backend = fake(features=FEATURES & ~bits(F_VERSION_1))
    log, _ = run_front("path=" + backend.path)
    assert not has_port(log)
    one_line_says(log, re.escape(backend.path), "VERSION_1")


@pytest.mark.sluice
@pytest.mark.parametrize("how", [dict(queue_num=2), dict(protocol_features=bits(P_REPLY_ACK))],
    ids=["two-pairs", "no-MQ"])
def test_fewer_queues_than_asked(fake, testpmds, how):
    """GET_QUEUE_NUM speaks of queue pairs, as lib/vhost does."""
    backend = fake(**how)
    front = testpmds(["%s0,path=%s,queues=4" % (VDEV, backend.path)], front=True)
    have = how.get("queue_num", 1)
    assert front.info()["Max possible TX queues"] == str(have)
    one_line_says(front.log(), r"queue", r"\b4\b", r"\b%d\b" % have)
    assert front.link_up()
    front.quit()


def test_more_queues_than_net_vhost_uses(new_pair):
    """lib/vhost offers its own maximum whatever net_vhost has: the pair in use must work."""
    config = Config("more")
    config.devargs["queues"] = 4
    pair = new_pair(config)
    pair.exchange("io", 200)
    pair.close()


def test_protocol_features_that_nobody_asked_for(fake, testpmds):
    """All bits offered: the driver takes those it knows."""
    backend = fake(protocol_features=PROTOCOL_FEATURES | bits(P_MQ, P_REPLY_ACK) | 0xffff << 40)
    front = testpmds(["%s0,path=%s" % (VDEV, backend.path)], front=True)
    assert front.link_up()
    front.quit()
    assert not backend.acked_protocol >> 40
