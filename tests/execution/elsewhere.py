"""Handlers at the top level of a module, for phases that run in other processes."""

from __future__ import annotations

import asyncio
import ctypes
import io
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


def listens() -> None:
    """Says so when it may be told to end, and when it was."""
    if not current_phase().cancelled:
        print("listening")
    while not current_phase().cancelled:
        time.sleep(0.005)
    print("heeded")


def listens_after(heard: Path) -> None:
    """Listens when there is a file that says that what it has printed was heard."""
    print("before")
    while not heard.exists():
        time.sleep(0.005)
    listens()


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


def spoils_streams() -> None:
    """Closes or redirects what it writes to, in the way that its phase is called after."""
    how = current_phase().name
    if how == "descriptor":
        os.closerange(0, 3)
    elif how == "stream":
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            stream.close()
    elif how == "detached":
        sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="latin-1")
    elif how == "wrapped":
        sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="latin-1")
    elif how == "redirected":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - left open on purpose
    else:
        sys.stdin = sys.stdout = sys.stderr = None  # type: ignore[assignment]


def prints_in_c() -> None:
    ctypes.CDLL(None).puts(b"from C")


def uses_streams() -> tuple[int, str]:
    print("printed")
    os.write(1, b"written\n")
    print("wrong", file=sys.stderr)
    return os.getpid(), sys.stdin.read()


def tells_its_outputs() -> list[tuple[int, int]]:
    print("printed")
    return [(output.st_dev, output.st_ino) for output in map(os.fstat, (1, 2))]


def logs_without_stdout() -> None:
    sys.stdout.close()
    current_phase().log("logged")


def prints_any_text() -> None:
    print("ä\udc80")
    print("ö", file=sys.stderr)


def closes_all() -> None:
    os.closerange(0, 1024)


def hangs_up() -> None:
    os.closerange(3, 1024)
    time.sleep(1000)


class Unsendable:
    """Ends whatever pickles it."""

    def __reduce__(self) -> str:
        raise SystemExit("not this")


def gives_unsendable() -> Unsendable:
    return Unsendable()


def exits_when_read() -> None:
    raise SystemExit("not here")


class Unreadable:
    """Ends whatever unpickles it."""

    def __reduce__(self) -> tuple[object, ...]:
        return exits_when_read, ()


def gives_unreadable() -> Unreadable:
    return Unreadable()


def forks() -> str:
    """Comes to its end twice; the fork, in the way that its phase is called after, well before its parent."""
    child = os.fork()
    if child:
        return f"parent of one that ended with {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}"
    if current_phase().name == "raises":
        raise ValueError("the fork's")
    if current_phase().name == "exits":
        sys.exit(7)
    print("the fork's")
    return "the fork's"


def leaves_a_fork() -> None:
    if os.fork() == 0:
        current_phase().check()
        time.sleep(1000)


def leaves_a_daemon() -> int:
    """One that outlives its worker, and is not its child."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
    os.waitpid(child, 0)
    return os.getpid()


def leaves_a_writer() -> None:
    """Faster than anybody reads lines."""
    lines = 10_000 * (b"x" * 99 + b"\n")
    if os.fork() == 0:
        while True:
            os.write(1, lines)


def out_of_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (2**29, resource.getrlimit(resource.RLIMIT_AS)[1]))
    taken = []
    try:
        while True:
            taken.append(bytearray(2**24))
    finally:
        taken.clear()


class BareError(BaseException):
    pass


def raises_bare() -> None:
    raise BareError("bare")


def floods_and_dies() -> None:
    for number in range(20_000):
        os.write(1, b"%06d %s\n" % (number, b"x" * 90))
    os.kill(os.getpid(), signal.SIGKILL)


def reads_stdin() -> tuple[str, bytes]:
    return sys.stdin.read(), os.read(0, 1)


def leaves_threads() -> None:
    import threading

    for daemon in (True, False):
        threading.Thread(target=time.sleep, args=(1000,), daemon=daemon).start()


class TwoPartError(Exception):
    """Pickles, and unpickling calls it with one argument."""

    def __init__(self, part: str, number: int) -> None:
        super().__init__(f"{part} {number}")
        self.number = number


def raises_two_parts() -> None:
    raise TwoPartError("part", current_phase().attempt)


def takes_any(c: object) -> None:
    pass
