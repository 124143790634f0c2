# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Debian packages that are fetched to be unpacked below .cache/, never installed. The machine's own apt and dpkg
learn nothing of it: apt is asked with a configuration, lists and a status file in a temporary folder. It checks
signatures with the keyring that Debian installs.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CONFIGURATION = """\
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{folder}/parts";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"""
# Of all that a program's package depends on, those that have libraries.
LIBRARY_PACKAGE = re.compile(r"(?:lib(?!python).*|zlib1g|ibverbs-providers)(?<!-dev)")
ARCHITECTURE = 'APT::Architecture "{0}";\nAPT::Architectures {{ "{0}"; }};\n'


class Trouble(Exception):
    """Something on this machine is missing or not as expected; the text is for the user."""


def fetch_or_say(fetch, say):
    """What a program that fetches something does."""
    try:
        fetch()
    except Trouble as error:
        say(str(error))
        sys.exit(1)


def need(program, package):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Trouble("no %s: run devtools/setup (Debian package %s)" % (program, package))
    return path


def output(*command, cwd=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
        stdin=subprocess.DEVNULL, check=False, text=True)
    if done.returncode:
        raise Trouble("%s: %s" % (" ".join(command), (done.stderr or done.stdout).strip()[-800:]))
    return done.stdout


def archives():
    """[(URI, release)] of Debian's archives, those that this machine's apt has lists of"""
    found = output("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(RELEASE)",
        "Identifier: Packages", "Component: main")
    return re.findall(r"^Debian (\S+) (\S+)$", found, re.M)


class PrivateApt:
    """An apt that knows nothing but these archives, on a machine on which nothing is installed; in a with
    statement. what: is fetched, for messages; sources: [(URI, release)]; architecture: this machine's unless given;
    keyring and kinds: of another distribution, and which lists are wanted: {"deb": components, "deb-src": components}"""

    def __init__(self, what, parent, sources, architecture=None, keyring=KEYRING, kinds=None):
        if not os.path.exists(keyring):
            raise Trouble("no %s: install debian-archive-keyring" % keyring)
        self.what = what
        self.folder = tempfile.mkdtemp(prefix="apt-", dir=parent)
        self.conf = self.path("apt.conf")
        for name in ("parts", "lists/partial", "cache/archives/partial"):
            os.makedirs(self.path(name))
        self.write("status", "")
        self.write("apt.conf", CONFIGURATION.format(folder=self.folder)
            + (ARCHITECTURE.format(architecture) if architecture else ""))
        self.write("parts/archives.list", "".join("%s [signed-by=%s] %s %s %s\n" % (kind, keyring, uri, release, components)
            for uri, release in sources for kind, components in (kinds or {"deb": "main"}).items()))

    def __enter__(self):
        try:
            self.get("update")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def get(self, *args, cwd=None):
        try:
            output("apt-get", "-q", "-y", "-c", self.conf, *args, cwd=cwd)
        except Trouble as trouble:
            reason = re.search(r"\bE: (.*)", str(trouble))
            raise Trouble("%s cannot be fetched: %s"
                % (self.what, reason.group(1) if reason else trouble)) from None

    def depends(self, package):
        """What apt-cache says about it"""
        return output("apt-cache", "-c", self.conf, "depends", package)

    def source(self, name):
        """[(SHA-256, path below the archive)] of the files of a source package"""
        text = output("apt-cache", "-c", self.conf, "showsrc", "--only-source", name)
        folder = re.search(r"^Directory: (.*)", text, re.M).group(1)
        return [(digest, folder + "/" + file) for digest, file in re.findall(r"^ ([0-9a-f]{64}) \d+ (\S+)$", text, re.M)]

    def packages(self, packages):
        """The names of these and of all that they need"""
        plan = output("apt-get", "-q", "-y", "-c", self.conf, "-s", "--no-install-recommends", "install", *packages)
        return re.findall(r"^Inst (\S+)", plan, re.M)

    def download(self, packages, target):
        """Just these packages, into a folder"""
        self.get("download", *packages, cwd=target)

    def unpack_programs(self, packages, more, root):
        """Unpacks packages below a folder, with the libraries, the dynamic linker among them, that they and others (more) need."""
        libraries = [name for name in self.packages(packages + more) if LIBRARY_PACKAGE.fullmatch(name)]
        self.download(packages + libraries, self.folder)
        for file in sorted(glob.glob(self.path("*.deb"))):
            output("dpkg-deb", "-x", file, root)

    def download_with_needs(self, packages):
        """These packages and all that they need; their files"""
        self.get("--download-only", "--no-install-recommends", "install", *packages)
        return sorted(glob.glob(self.path("cache/archives/*.deb")))
