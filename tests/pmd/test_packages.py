# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The Debian packages that devtools/package makes: checked by lintian, installed and used where the machine does not see
it, removed without a trace."""
import glob
import os
import re
import shutil
import subprocess

import pytest

from testpmd import REPO, Testpmd

pytestmark = [pytest.mark.sluice, pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("lintian"),
    reason="takes root, and lintian: run devtools/setup packages")]
PACKAGES = ["dpdk-net-sluice", "librte-net-sluice-dev", "sluice-doc", "sluice-tools"]
# What dpkg writes to lies in memory, over the machine's own, for what is run here and its children.
APART = """t=$(mktemp -d) && mount -t tmpfs none $t
for d in usr var etc; do
	mkdir $t/$d.new $t/$d.work
	mount -t overlay none -o lowerdir=/$d,upperdir=$t/$d.new,workdir=$t/$d.work /$d
done
"""


def apart(script, **more):
    return subprocess.run(["unshare", "--mount", "sh", "-ec", APART + script], capture_output=True, text=True, timeout=120,
        env=dict(os.environ, LC_ALL="C", **more), check=False)


with open(os.path.join(REPO, "README.md"), encoding="utf-8") as readme:
    MAKE, INSTALL = re.search(r"^(devtools/package) && (apt-get install .*)$", readme.read(), re.M).groups()


@pytest.fixture(scope="module")
def packages():
    """The folder with them, made by the README's command"""
    if apart("true").returncode != 0:
        pytest.skip("no overlayfs: what dpkg installs could not be kept from the machine")
    path = os.path.join(REPO, "build", "packages")
    shutil.rmtree(path, ignore_errors=True)
    done = subprocess.run(MAKE, cwd=REPO, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return path


def field(packages, package, name):
    file = glob.glob(os.path.join(packages, package + "_*.deb"))[0]
    return subprocess.run(["dpkg-deb", "-f", file, name], capture_output=True, text=True, check=True).stdout


def test_lintian_has_nothing_to_say(packages):
    done = subprocess.run(["lintian", "--allow-root", "--tag-display-limit", "0"] + glob.glob(packages + "/*.changes"),
        capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_they_belong_to_a_release_line_of_dpdk(packages):
    """Its updates are welcome, the next release is not."""
    for package in PACKAGES[:2]:
        assert re.search(r"librte-eal23 \(>= 22\.11~?\).*librte-eal23 \(<< 22\.12~\)", field(packages, package, "Depends"))


def test_used_and_removed(packages, folder):
    """Loaded without -d, by a program of the package."""
    back = Testpmd(["net_vhost0,iface=" + os.path.join(folder, "p.sock")])
    options = "-l 0 --no-pci --iova-mode=va --in-memory --no-telemetry -m 64 --vdev net_sluice0,path=%s/p.sock" % folder
    script = """
cd %s
%s >/dev/null
sluice-top --help >/dev/null
sluice-map --help >/dev/null
for page in sluice-fwd sluice-map sluice-top sluice-bench dma-tour; do test -s /usr/share/man/man1/$page.1.gz; done
timeout -s INT 4 sluice-fwd %s || test $? = 124
dpkg -P sluice-tools dpdk-net-sluice >/dev/null
find $t/usr.new $t/etc.new -name '*luice*' -type f
""" % (REPO, INSTALL, options)
    try:
        back.cmds("set fwd flowgen", "start")
        done = apart(script, DEBS=packages)
        sent = back.stats()
    finally:
        back.kill()
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.findall(r"port 0: received (\d+), sent (\d+)", done.stdout)
    assert counts and int(counts[-1][0]) > 1000, done.stdout
    assert sent["RX-packets"] > 1000
    assert not re.search(r"/[^ ]*luice", done.stdout), done.stdout


def test_another_release_of_dpdk(packages):
    """A machine whose DPDK has gone on: dpkg refuses, and says for what."""
    done = apart("""
sed -i '/^Package: librte-eal23$/,/^$/s/^Version: .*/Version: 22.12.0-1/' /var/lib/dpkg/status
dpkg -i $DEBS/dpdk-net-sluice_*.deb""", DEBS=packages)
    assert done.returncode != 0 and "librte-eal23 (<< 22.12~)" in done.stdout + done.stderr


def test_linked_statically(packages, folder):
    """The first program, with the driver in it, by pkg-config."""
    program = os.path.join(folder, "fwd")
    done = apart("""
dpkg -i $DEBS/librte-net-sluice-dev_*.deb >/dev/null
cc -O1 -o $PROGRAM $SOURCE $(pkg-config --cflags --libs librte_net_sluice)
""", DEBS=packages, PROGRAM=program, SOURCE=os.path.join(REPO, "app", "sluice-fwd", "main.c"))
    assert done.returncode == 0, done.stderr
    done = subprocess.run([program, "-l", "0", "--no-pci", "--in-memory", "--no-telemetry", "-m", "64", "--vdev",
        "net_sluice0,path=%s/none.sock" % folder], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0 and "none.sock" in done.stdout + done.stderr
