"""Runs a program that must not be root and that leaves shared memory behind when it is killed.

``apart.py COMMAND...`` runs the command in user and IPC namespaces of its own: it sees the id of
``nobody`` where it would see root's, while its files stay root's outside, so that no folder has to
be opened up for another user; and its shared memory goes with its last process. It is a script that
needs nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWUSER, CLONE_NEWIPC = 0x10000000, 0x08000000
NOBODY = 65534


def main(command: list[str]) -> None:
    """Become ``command``, apart where the system allows it; root needs that."""
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWIPC) == 0:
        for name, content in (
            ("setgroups", "deny"),
            ("uid_map", f"{user or NOBODY} {user} 1"),
            ("gid_map", f"{group or NOBODY} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
                file.write(content)
    elif user == 0:
        reason = os.strerror(ctypes.get_errno())
        sys.exit(f"it refuses to run as root, and there is no user namespace: {reason}")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
