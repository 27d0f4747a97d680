"""Forked workers that do one job together, in step with each other."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Exchange = Callable[[Any], list[Any]]
"""Give one's own part of something, get the parts of all workers, in their order."""

Work = Callable[[int, Exchange], Any]
"""The work of worker number so-and-so."""

_FAILED, _PART, _DONE = b"F", b"P", b"D"


class WorkerLostError(Exception):
    """A worker ended before its work was done: killed, or out of memory."""


def alone(part: Any) -> list[Any]:
    """Exchange parts in a process that has no fellows."""
    return [part]


def can_fork() -> bool:
    """Tell whether forking is safe: another thread's locks would stay locked in the child."""
    return sys.platform != "win32" and hasattr(os, "fork") and threading.active_count() == 1


def together(work: Work, count: int) -> list[Any]:
    """Let ``count`` forked workers do the work; return their results in order.

    Raises what a worker raised, and WorkerLostError when one was killed. However this ends, no
    worker outlives it.
    """
    crew: list[tuple[int, Connection]] = []
    # An interrupt between a fork and its note in ``crew`` would leave a worker behind.
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for number in range(count):
            crew.append(_start(work, number, count, [connection for _, connection in crew]))
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, usual)
            return _relay([connection for _, connection in crew])
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    finally:
        for process, connection in crew:
            connection.close()
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)


def _relay(crew: Sequence[Connection]) -> list[Any]:
    """Pass parts around until everybody is done."""
    while True:
        messages = [_receive(connection) for connection in crew]
        bodies = [message[1:] for message in messages]
        if all(message[:1] == _DONE for message in messages):
            return [pickle.loads(body) for body in bodies]
        for connection in crew:
            for body in bodies:
                connection.send_bytes(body)


def _receive(connection: Connection) -> bytes:
    try:
        message = connection.recv_bytes()
    except (EOFError, OSError) as error:
        raise WorkerLostError from error
    if message[:1] == _FAILED:
        raise pickle.loads(message[1:])
    return message


def _start(
    work: Work, number: int, count: int, others: Sequence[Connection]
) -> tuple[int, Connection]:
    from multiprocessing.connection import Pipe

    ours, theirs = Pipe()
    process = os.fork()
    if process:
        theirs.close()
        return process, ours
    status = 1
    try:  # nothing of the parent's may run in the child: no handlers, no clean-up, no buffers
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for connection in (ours, *others):
            connection.close()
        _serve(work, number, count, theirs)
        status = 0
    finally:
        os._exit(status)


def _serve(work: Work, number: int, count: int, connection: Connection) -> None:
    def exchange(part: Any) -> list[Any]:
        connection.send_bytes(_PART + pickle.dumps(part, pickle.HIGHEST_PROTOCOL))
        return [pickle.loads(connection.recv_bytes()) for _ in range(count)]

    try:
        result = _DONE + pickle.dumps(work(number, exchange), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        error.add_note(traceback.format_exc())  # of the worker: that of the parent says nothing
        result = _FAILED + pickle.dumps(error)
    connection.send_bytes(result)
