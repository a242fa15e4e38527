"""A Dask cluster of somebody else's for tests, and handlers that are of use there."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import milo
from milo import Phase, PhasePolicy, Pipeline, RunResult, current_phase, sh

SKIP = PhasePolicy("skip")
LIMIT_S = 2.0
"""A limit that is not over before an attempt has begun, where one has run there before."""
SUITE = Path(__file__).parents[3]


def run(*phases: Phase, **options: Any) -> RunResult:
    return milo.run(Pipeline("p", *phases, capture_output=True), **options)


class Started:
    """A scheduler or a worker in a process of its own, and what it says."""

    def __init__(self, *command: object, env: dict[str, str] | None = None) -> None:
        quiet = {
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
            "DASK_DISTRIBUTED__NANNY__ENVIRON__MALLOC_TRIM_THRESHOLD_": "0",
        }
        path = os.pathsep.join(filter(None, [str(SUITE), os.environ.get("PYTHONPATH", "")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dask", *map(str, command)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, **quiet, **(env or {})},
        )
        self.said: list[str] = []
        self._heard = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self._heard:
                    self.said.append(line)
                    self._heard.notify_all()

    def says(self, pattern: str, within_s: float = 30.0) -> re.Match[str]:
        """Wait until it says something."""

        def found() -> Any:
            return next((match for line in self.said if (match := re.search(pattern, line))), None)

        with self._heard:
            match = self._heard.wait_for(found, within_s)
        assert match, "".join(self.said)
        return match  # type: ignore[no-any-return]

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()


@contextmanager
def scheduler(port: int = 0) -> Iterator[tuple[Started, str]]:
    """A scheduler without workers, and its address."""
    started = Started("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    try:
        yield started, started.says(r"Scheduler at:\s+(tcp://\S+)")[1]
    finally:
        started.end()


@contextmanager
def workers(
    address: str, folder: Path, *options: object, env: dict[str, str] | None = None
) -> Iterator[Started]:
    """Workers of a scheduler: one with one thread unless told."""
    options = options or ("--nthreads", 1)
    where = ("--host", "127.0.0.1", "--local-directory", folder, "--no-dashboard")
    started = Started("worker", address, *where, *options, env=env)
    try:
        started.says(r"Registered to:")
        yield started
    finally:
        started.end()


def attempts() -> str:
    """Notes each attempt in a file."""
    phase = current_phase()
    with open(os.environ["MILO_TEST_FOLDER"] + "/" + phase.name, "a", encoding="utf-8") as file:
        file.write(f"{phase.attempt}\n")
    time.sleep(0.05)
    return phase.name * 3


def chatters() -> None:
    for number in range(100_000):
        print(f"line {number}")


def logs() -> None:
    logging.getLogger("distributed.worker").warning("of Dask's")
    print("the handler's own", file=sys.stderr)


def large() -> bytes:
    return os.urandom(1) * 3_000_000


def stubborn(path: str, started: str = os.devnull) -> None:
    """Cannot be known to end by itself, and notes that it was told to."""
    current = current_phase()
    Path(started).touch()
    job = current._job
    while not job.cancelled:
        time.sleep(0.01)
    Path(path).touch()


def commands() -> None:
    sh("trap '' TERM; echo $$; while :; do sleep 1000; done")


async def sleeps() -> None:
    try:
        await asyncio.sleep(1000)
    finally:
        print("cancelled")


def eats_memory() -> int:
    kept = []
    while True:
        kept.append(b"x" * 20_000_000)
        time.sleep(0.02)


def notes_pid() -> str:
    """Notes each attempt, and the process that it runs in."""
    Path(os.environ["MILO_TEST_FOLDER"], f"pid-{os.getpid()}").touch()
    return attempts()


def listening() -> list[str]:
    """The addresses at which this process, and the one that has started it, take connections, as /proc shows them."""
    inodes = set()
    for pid in (os.getpid(), os.getppid()):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(os.readlink(path).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue  # closed meanwhile
    found = []
    for file in ("tcp", "tcp6"):
        for line in Path("/proc/self/net", file).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1])
    return found


def busy() -> None:
    """Ends neither by itself nor when it is asked, and so does what it has started."""
    subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1000; done"])
    time.sleep(1000)


def noted() -> str:
    """The Dask task that it runs in."""
    from distributed import get_worker

    return str(get_worker().get_current_task())


def multi() -> None:
    """Prints while others print in the same process."""
    name = current_phase().name
    for number in range(200):
        print(name, number)
        time.sleep(0.0005)


_together = threading.Barrier(2)


def prints_together() -> None:
    """Prints while another one does, in the same process."""
    _together.wait(20)
    for number in range(50):
        print(current_phase().name, number)
    _together.wait(20)
