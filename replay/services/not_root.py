"""Runs a command that refuses to be root: ``not_root.py COMMAND...``.

In a user namespace of its own the command sees the id of ``nobody`` wherever it would see root's,
while its files stay root's outside: no folder has to be opened up for another user. It runs as a
script with nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
NOBODY = 65534


def main(command: list[str]) -> None:
    """Become ``command`` under another id."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        reason = os.strerror(ctypes.get_errno())
        sys.exit(f"it refuses to run as root, and there is no user namespace: {reason}")
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} 0 1"),
        ("gid_map", f"{NOBODY} 0 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
            file.write(content)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
