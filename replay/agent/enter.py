"""Makes and joins the network of a replay: loopback only, recorded hosts on 127.0.0.1.

Run as a script, with nothing but the standard library, in a process of its own::

    enter.py hold FD               make a namespace, hand over its listening sockets, wait on FD
    enter.py join PID COMMAND...   join the namespace that process PID holds and become COMMAND

The holder is a fresh process because a user namespace can only be entered by one single thread.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SIOCSIFADDR, SIOCSIFFLAGS, SIOCSIFNETMASK = 0x8916, 0x8914, 0x891C
IFF_UP, IFF_RUNNING = 0x1, 0x40
PR_CAPBSET_DROP = 24
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21
BACKLOG = 4096
CANNOT_EXECUTE, NOT_FOUND = 126, 127  # what a shell answers

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def _mount(source: str, target: str, flags: int) -> None:
    done = _libc.mount(os.fsencode(source), os.fsencode(target), None, flags, None)
    _check(done, f"mount {target}")


def hold(channel: socket.socket) -> None:
    """Serve one order: ``{"files": {target: source}, "ports": [...], "addresses": [...]}``."""
    # Ctrl-C at a terminal reaches the whole process group; the run still needs its network then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = json.loads(channel.recv(1 << 20))
    try:
        _isolate()
        _bring_loopback_up(order["addresses"])
        for target, source in order["files"].items():
            _mount(source, target, MS_BIND)
        listeners = [_listen(port) for port in order["ports"]]
    except OSError as error:
        channel.sendall(json.dumps({"error": str(error.strerror or error)}).encode())
        return
    answer = json.dumps({"pid": os.getpid()}).encode()
    if listeners:
        socket.send_fds(channel, [answer], [listener.fileno() for listener in listeners])
    else:
        channel.sendall(answer)
    for listener in listeners:
        listener.close()
    channel.recv(1)  # ends when the other side closes it or dies
    _end_all_inside()


def _end_all_inside() -> None:
    """Kill every process of this network but this one, those that left their session too."""
    while others := [process for process in _processes_inside() if process != os.getpid()]:
        for process in others:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.005)  # a killed process is gone when the kernel says so


def _processes_inside() -> list[int]:
    network = os.stat("/proc/self/ns/net").st_ino
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}/ns/net").st_ino == network:
                found.append(int(name))
        except OSError:  # ended meanwhile, or somebody else's and so not inside
            continue
    return found


def _isolate() -> None:
    try:
        _unshare(CLONE_NEWNET | CLONE_NEWNS)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        _unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS)
        # One's own id, not a mapped root: programs that refuse to run as root must still run.
        for name, content in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(content)
    _mount("none", "/", MS_REC | MS_PRIVATE)


def _bring_loopback_up(addresses: list[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.pack("16sh", b"lo", IFF_UP | IFF_RUNNING)
        fcntl.ioctl(control, SIOCSIFFLAGS, flags)
        for number, address in enumerate(addresses):
            name = f"lo:{number}".encode()
            for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, "255.255.255.255")):
                fcntl.ioctl(control, request, _interface_address(name, value))


def _interface_address(name: bytes, address: str) -> bytes:
    family, port, rest = socket.AF_INET, 0, b""
    return struct.pack("16sHH4s8s", name, family, port, socket.inet_aton(address), rest)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(BACKLOG)
    return listener


def join(holder: str) -> None:
    """Join the namespaces of process ``holder`` and give up the way out."""
    folder = os.getcwd()  # joining a mount namespace moves the process to its root
    spaces = f"/proc/{holder}/ns/"
    own_user = os.stat("/proc/self/ns/user").st_ino
    kinds = (
        ["net", "mnt"] if os.stat(spaces + "user").st_ino == own_user else ["user", "net", "mnt"]
    )
    opened = [os.open(spaces + kind, os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]
    for kind, descriptor in zip(kinds, opened, strict=True):
        _check(_libc.setns(descriptor, 0), f"join the {kind} namespace")
    os.chdir(folder)
    for capability in (CAP_NET_ADMIN, CAP_SYS_ADMIN):
        _check(_libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "drop capabilities")


def become(command: list[str]) -> int:
    """Replace this process by ``command``; returns the status a shell would if that fails."""
    # Python ignores these at its start, and what is ignored stays ignored in the command.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE


def main(arguments: list[str]) -> int:
    """Run as a script; returns an exit status where there is no command to become."""
    if arguments[0] == "hold":
        with socket.socket(fileno=int(arguments[1])) as channel:
            hold(channel)
        return 0
    try:
        join(arguments[1])
    except OSError as error:
        sys.stderr.write(f"cannot enter the network of the replay: {error}\n")
        return CANNOT_EXECUTE
    return become(arguments[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
