"""Installs the programs that tests run, where this process may: the browser, compilers, emulators, Node.

`make test` runs it. The tests of the lab need a browser; those of exported files skip what is not there.
"""

import os
import shutil
import subprocess
import sys

import chromium

PACKAGES = {
    "clang": ["clang"],
    "aarch64-linux-gnu-gcc": ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
    "qemu-aarch64-static": ["qemu-user-static"],
    "node": ["nodejs"],
}
"""Debian's packages of each program that exported files are compiled and run by."""


def missing():
    """The packages of the programs that are not on this machine."""
    lacking = [] if chromium.find() else ["chromium"]
    for program, packages in PACKAGES.items():
        lacking += [] if shutil.which(program) else packages
    return lacking


def install(packages):
    """Install Debian's packages where this process may."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root and shutil.which("apt-get"):
        print("Installing", *packages)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        options = {"check": False, "env": environment, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update", "-qq"], **options)
        subprocess.run(["apt-get", "install", "-y", "-qq", *packages], **options)
        chromium.find.cache_clear()


def main():
    """Install what is missing, and say what then still is; without a browser, fail."""
    if packages := missing():
        install(packages)
    if packages := missing():
        print("Not installed, so that some tests of exported files are skipped:", *packages)
    sys.exit(None if chromium.find() else chromium.MISSING)


if __name__ == "__main__":
    main()
