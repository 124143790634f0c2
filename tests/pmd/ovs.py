# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Open vSwitch with DPDK, as Debian packages it: installed, or unpacked below .cache/ by devtools/setup. It runs in a folder of
its own, as do its programs of control, and in a network namespace of its own."""
import os
import shutil
import subprocess

from testpmd import REPO, die_with_parent, environment, wait_for

ROOTS = ["/", os.path.join(REPO, ".cache", "applications", "root")]
SWITCH = "usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
ROOT = next((root for root in ROOTS if os.path.exists(os.path.join(root, SWITCH))), None)


class Ovs:
    """A bridge with two ports, the driver's and a vhost-user client."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.processes = {}
        self.prefix = "sluice_ovs_%d" % os.getpid()
        usr = os.path.join(ROOT, "usr")
        self.env = dict(environment(), OVS_RUNDIR=self.folder, OVS_LOGDIR=self.folder, OVS_DBDIR=self.folder,
            OVS_SYSCONFDIR=self.folder, OVS_PKGDATADIR=usr + "/share/openvswitch",
            PATH="%s/bin:%s/sbin:%s" % (usr, usr, os.environ["PATH"]))
        libraries = os.path.join(usr, "lib", "%s-linux-gnu" % os.uname().machine)
        if ROOT != "/":
            self.env["LD_LIBRARY_PATH"] = ":".join([self.env.get("LD_LIBRARY_PATH", ""), libraries])
        self.database = "unix:%s/db.sock" % self.folder

    def call(self, *command):
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=30, check=False)

    def run(self, *command):
        done = self.call(*command)
        assert done.returncode == 0, "%s: %s%s\n%s" % (" ".join(command), done.stdout, done.stderr, self.log()[-6000:])
        return done.stdout

    def control(self, *words):
        return self.run("ovs-vsctl", "--timeout=20", "--db=" + self.database, *words)

    def launch(self, name, *command):
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            self.processes[name] = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, preexec_fn=die_with_parent)

    def log(self):
        with open(os.path.join(self.folder, "switch.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self, *options):
        self.run("ovsdb-tool", "create", self.folder + "/conf.db", self.env["OVS_PKGDATADIR"] + "/vswitch.ovsschema")
        self.launch("database", "ovsdb-server", self.folder + "/conf.db", "--remote=p" + self.database)
        wait_for(lambda: os.path.exists(self.folder + "/db.sock"), 10, "the database")
        self.control("--no-wait", "init", "--", "set", "Open_vSwitch", ".",
            *["other_config:" + option for option in ("dpdk-init=true",) + options])
        self.start_switch()
        self.control("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail-mode=secure")

    def start_switch(self):
        """Its ports are in the database, and come back with it."""
        self.launch("switch", "unshare", "--net", os.path.join(ROOT, SWITCH), self.database, "--pidfile")

    def add_ports(self, front, back):
        """front: a socket to which the driver connects, back: one to which OVS's vhost does. What comes from one goes to the
        other."""
        self.control("add-port", "br0", "front", "--", "set", "Interface", "front", "type=dpdk",
            "options:dpdk-devargs=net_sluice0,path=" + front)
        self.control("add-port", "br0", "back", "--", "set", "Interface", "back", "type=dpdkvhostuserclient",
            "options:vhost-server-path=" + back)
        for name in ("front", "back"):
            error = self.control("get", "Interface", name, "error")
            assert error.strip() == "[]", error + self.log()[-3000:]
        self.add_flows()

    def add_flows(self):
        """A switch that starts has none. It answers when its ports are there."""
        def done(source, target):
            return self.call("ovs-ofctl", "add-flow", "unix:%s/br0.mgmt" % self.folder,
                "in_port=%s,actions=output:%s" % (source, target)).returncode == 0
        for ports in (("front", "back"), ("back", "front")):
            wait_for(lambda p=ports: done(*p), 20, "a flow from port %s to port %s" % ports)

    def restart_switch(self):
        self.processes["switch"].kill()
        self.processes.pop("switch").wait()
        self.start_switch()
        self.add_flows()

    def kill(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        shutil.rmtree("/run/dpdk/" + self.prefix, ignore_errors=True)
