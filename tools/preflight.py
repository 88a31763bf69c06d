"""Say plainly why the environment cannot be made, and what to do about it.

    python tools/preflight.py                before the environment is made
    python tools/preflight.py PIP_LOG        after pip failed and left its log

Every Python since 2.7 can read this file, or an old one could not be told that it is old.
"""

import os
import sys

OLDEST = (3, 11)
NEWEST = (3, 14)  # the locked torch has no wheels for later ones
GIB = 2.0**30
NEEDED = 3 * GIB  # with PyTorch's CPU build
NEEDED_WITH_CUDA = 8 * GIB

NAME_A_PYTHON = "name another one: make PYTHON=/path/to/python3.12"
NAME_THE_CPU_BUILD = "add TORCH_INDEX=... (`make help` shows its value) to get the small CPU build"


def python_problem(version):
    """Return what is wrong with a Python version, or None."""
    found = ".".join(str(part) for part in version[:3])
    if tuple(version[:2]) < OLDEST:
        return (
            "Python %s is too old: the book needs %d.%d or newer.\n"
            "Install a newer Python, or %s" % ((found,) + OLDEST + (NAME_A_PYTHON,))
        )
    if tuple(version[:2]) > NEWEST:
        return (
            "Python %s is too new: the packages in constraints.txt run on %d.%d to %d.%d.\n"
            "Install one of those, or %s" % ((found,) + OLDEST + NEWEST + (NAME_A_PYTHON,))
        )
    return None


def venv_problem(find_module):
    """Return what is missing to make a virtual environment, or None."""
    for module in ("venv", "ensurepip"):
        if find_module(module) is None:
            return (
                "This Python lacks the module %s, so no virtual environment can be made.\n"
                "On Debian and Ubuntu: sudo apt install python3-venv. Elsewhere, %s"
                % (module, NAME_A_PYTHON)
            )
    return None


def disk_problem(free, needed=NEEDED):
    """Return what is wrong with so many free bytes, or None."""
    if free >= needed:
        return None
    return (
        "Only %.1f GB are free on this disk: the environment and the book need %.0f GB.\n"
        "Free some space, or move the folder to another disk." % (free / GIB, needed / GIB)
    )


def disk_hint(free, platform, torch_index):
    """Return a warning if PyTorch's build with CUDA might not fit, or None."""
    if not platform.startswith("linux") or torch_index or free >= NEEDED_WITH_CUDA:
        return None
    return (
        "Note: %.1f GB are free. PyTorch's usual build for Linux brings CUDA and needs about %.0f "
        "GB;\nif the disk fills up, %s." % (free / GIB, NEEDED_WITH_CUDA / GIB, NAME_THE_CPU_BUILD)
    )


PIP_FAILURES = (
    (
        ("No space left on device", "Errno 28", "Disk quota exceeded"),
        "The disk is full.\nFree some space, or " + NAME_THE_CPU_BUILD + ".",
    ),
    (
        (
            "Temporary failure in name resolution",
            "nodename nor servname provided",
            "Name or service not known",
            "Failed to establish a new connection",
            "Network is unreachable",
            "Connection refused",
            "ConnectTimeoutError",
            "Read timed out",
            "ProxyError",
        ),
        "The package index cannot be reached.\nCheck the network and any proxy, then run make "
        "again: what has been installed so far is kept.",
    ),
    (
        ("No matching distribution found", "ResolutionImpossible"),
        "A package in constraints.txt does not exist for this Python and system.\n"
        "Try Python 3.11 or 3.12: make PYTHON=/path/to/python3.12",
    ),
)


def explain_pip(log):
    """Return a sentence on why pip failed, from its log."""
    for signs, explanation in PIP_FAILURES:
        if any(sign in log for sign in signs):
            return explanation
    return "pip could not install the packages. Its own message is above."


def free_space(path):
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def main(arguments):
    if arguments:
        with open(arguments[0]) as log:
            sys.exit("\n" + explain_pip(log.read()))
    problem = python_problem(sys.version_info)
    if problem is None:
        import importlib.util

        problem = venv_problem(importlib.util.find_spec) or disk_problem(free_space("."))
    if problem:
        sys.exit("\n" + problem)
    hint = disk_hint(free_space("."), sys.platform, os.environ.get("TORCH_INDEX"))
    if hint:
        sys.stderr.write(hint + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
