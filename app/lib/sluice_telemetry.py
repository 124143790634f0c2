# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""How sluice-top and sluice-map ask a running DPDK application: by the telemetry socket that EAL opens."""
import argparse
import json
import os
import socket


class Trouble(Exception):
    """For one line on stderr"""


class Telemetry:
    """The socket of one application. Telemetry has one answer for each question, in order."""

    def __init__(self, prefix):
        # As EAL looks for a folder for its files.
        base = os.environ.get("RUNTIME_DIRECTORY") or ("/var/run" if os.geteuid() == 0
            else os.environ.get("XDG_RUNTIME_DIR", "/tmp"))
        path = os.path.join(base, "dpdk", prefix, "dpdk_telemetry.v2")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(5)
        try:
            self.socket.connect(path)
            self.size = json.loads(self.socket.recv(1024))["max_output_len"]
        except (OSError, ValueError, KeyError) as error:
            raise Trouble("%s: %s; is an application running with --file-prefix=%s, as this user, and without "
                "--no-telemetry?" % (path, error, prefix)) from error

    def __call__(self, command):
        try:
            self.socket.send(command.encode())
            return json.loads(self.socket.recv(self.size))[command.split(",")[0]]
        except (OSError, ValueError, KeyError) as error:
            raise Trouble("%s: no answer: %s; has the application ended?" % (command, error)) from error


def seconds(text):
    """The value of an option that says how often"""
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError("%s: 0.1 to 3600 seconds" % text)
    return value
