"""Handlers at the top level of a module, for phases that run in other processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from milo import current_phase, sh


def pid() -> int:
    return os.getpid()


def told_pid(pid: int) -> int:
    return pid


def prints() -> None:
    print("first")
    os.write(1, b"second\n")
    subprocess.run(["echo", "third"], check=True)
    current_phase().log("fourth")
    sh("echo fifth")
    print("sixth")
    print("wrong", file=sys.stderr)
    print("unfinished", end="")


def many_lines() -> None:
    for number in range(2000):
        print(number) if number % 2 else current_phase().log(number)


def about() -> tuple[str, int, str, bool]:
    phase = current_phase()
    if phase.attempt == 1:
        raise ValueError("not yet")
    return phase.name, phase.attempt, phase.idempotency_key, phase.cancelled


async def awaited() -> str:
    await asyncio.sleep(0)
    return current_phase().name


def heeds() -> None:
    Path(os.environ["MILO_TEST_STARTED"]).touch()
    while not current_phase().cancelled:
        time.sleep(0.005)
    print("heeded")


def busy() -> None:
    """Ignores what it is told, and so does what it has started."""
    subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1000; done"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "MILO_TEST_STARTED" in os.environ:
        Path(os.environ["MILO_TEST_STARTED"]).touch()
    while True:
        time.sleep(1000)


def runs_a_command() -> None:
    sh("trap '' TERM; echo ready; while :; do sleep 1000; done")


def killed() -> None:
    print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def exits() -> None:
    os._exit(3)


def segfaults() -> None:
    import ctypes

    ctypes.string_at(0)


def raises_system_exit() -> None:
    sys.exit("enough")


class UnreadableError(Exception):
    """Pickles, and cannot be read again, not even by what Dask does to make exceptions readable."""

    def __new__(cls, one: str, two: str) -> UnreadableError:
        return super().__new__(cls, one, two)

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def raises_unreadable() -> None:
    raise UnreadableError("one", "two")


def raises_os_error() -> None:
    raise FileNotFoundError(2, "No such file", "data.csv")


def gives_unpicklable() -> object:
    return lambda: None


def gives_large() -> bytes:
    return bytes(3_000_000)


def takes_large(gives_large: bytes) -> int:
    return len(gives_large)


def once_then_fine() -> str:
    if current_phase().attempt == 1:
        os._exit(9)
    return "fine"
