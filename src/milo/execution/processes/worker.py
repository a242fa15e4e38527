"""A worker process: takes one attempt after the other from a pipe and runs each in its main thread."""

from __future__ import annotations

import io
import os
import pickle
import queue  # noqa: F401 - milo's other modules need it later, when the program may have a file of that name
import signal
import struct
import sys
import threading
import traceback
from typing import Any, NoReturn

from milo.execution.framing import Frames
from milo.execution.groups import Led, ProcessGroups, current_groups
from milo.execution.placement import WorkerError
from milo.execution.processes.link import Link
from milo.execution.program import Unpickler, adopt_program
from milo.execution.remote import Errand, RemoteHost, RemoteJob, in_words, packed_outcome
from milo.execution.streams import PLAIN_TEXT, Streams, flush

__all__ = ["main"]

READY, OUTCOME, HEEDS, GROUP = b"r", b"o", b"h", b"g"
TOLD, ERRAND = b"t", b"e"
NUMBER = struct.Struct("!Q")
"""Of the attempt that shall end, the worker's first being 1: what is written into the pipe for that."""


class _ToldGroups(ProcessGroups):
    """Tells the run's process of the commands that run, so that it can end them when it has ended this one."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def add(self, command: Led) -> None:
        super().add(command)
        self._worker.send(GROUP, b"+%d" % command.group)

    def done(self, command: Led, *, left: bool) -> None:
        super().done(command, left=left)
        self._worker.send(GROUP, b"%s%d" % (b"~" if left else b"-", command.group))


class Worker:
    """The worker's end. Attempts run one at a time, so it reports on the one that runs.

    The main thread takes errands and runs them. Another one waits for what concerns an attempt while it runs: that it
    shall end, or that the run's process is gone. So an attempt needs no switch of threads.

    Args:
        link: To the run's process.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._sending = threading.Lock()
        self._number = 0
        self._current: tuple[int, RemoteJob] | None = None
        self._cancels: int | None = None
        self._busy = False
        self._gone = False
        self._name = ""
        self._frames: dict[str, Frames] = {}
        self._streams: Streams | None = None
        self._pid = os.getpid()
        self.groups = _ToldGroups(self)

    def serve(self) -> None:
        """Run what comes until the run's process closes its end."""
        told = pickle.loads(self._link.receive()[1])
        # Copies: a handler may well close or redirect its own.
        self._frames = {
            "stdout": Frames(told["mark"], os.dup(1)),
            "stderr": Frames(told["mark"], os.dup(2)),
        }
        adopt_program(told["program"])
        self._streams = Streams()
        host = RemoteHost()
        host.context.run(current_groups.set, self.groups)
        self._cancels = told["cancels"]
        os.set_inheritable(self._cancels, False)
        os.register_at_fork(after_in_child=self._hang_up)
        listening = threading.Thread(
            target=self._listen, args=(self._cancels,), name="milo-listen", daemon=True
        )
        listening.start()
        self.send(READY)
        while True:
            _, errand = self._link.receive()
            # Noted before the look: whoever finds this process without its run, either here or there, ends it.
            self._busy = True
            if self._gone:
                _end_session()
            self._number += 1
            self._run(host, errand)

    def _hang_up(self) -> None:
        """In what the handler has forked: as long as that has the pipes open, this process would not seem to end."""
        self._link.close()
        if self._cancels is not None:  # which it is in what that has forked
            os.close(self._cancels)
            self._cancels = None

    def _listen(self, cancels: int) -> None:
        while number := os.read(cancels, NUMBER.size):
            current = self._current
            if current is not None and current[0] == NUMBER.unpack(number)[0]:
                current[1].cancel()
        self._gone = True
        if self._busy:
            # The run's process was killed, or does not want the outcome: nothing of this session goes on.
            _end_session()

    def _run(self, host: RemoteHost, packed: bytes | bytearray) -> None:
        try:
            errand = Errand(*_loaded(packed))
        except BaseException as reason:  # noqa: BLE001 - loading runs the user's modules
            hint = "Its module, and those of what it is given, must be importable in a new process."
            told = f"The attempt cannot be loaded in its worker process: {in_words(reason)}."
            self.outcome(None, WorkerError(told, hint=hint))
            return
        self._name = errand.name
        job = host.run(errand, self)
        self._current = (self._number, job)
        job.run()

    def line(self, stream: str, line: str) -> None:
        """Tell a line between what is printed to the same stream before and after it."""
        flush(stream)
        self._frames[stream].write(line)

    def heeds(self) -> None:
        self.send(HEEDS)

    def outcome(self, value: Any, error: BaseException | None) -> None:
        if os.getpid() != self._pid:
            _end_fork(error)
        self._current = None
        if self._streams is not None and not self._streams.restored():
            os._exit(1)  # nothing that it could be told by can be trusted
        packed = packed_outcome(self._name, value, error)
        self._busy = False
        self.send(OUTCOME, packed)

    def send(self, kind: bytes, body: bytes = b"") -> None:
        if os.getpid() != self._pid:
            return  # what the handler has forked is no attempt
        with self._sending:
            self._link.send(kind, body)


def _loaded(packed: bytes | bytearray) -> Any:
    # The program is loaded by whoever first asks for something of it; all the others need no help of ours.
    if Unpickler.main is None or b"_main__" not in packed:
        return pickle.loads(packed)
    return Unpickler(io.BytesIO(packed)).load()


def _end_session() -> None:
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _end_fork(error: BaseException | None) -> NoReturn:
    """End a process that the handler has forked and that has come to the handler's end, as a program ends."""
    status = 0
    if isinstance(error, SystemExit):
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(error)
        status = 1
    flush()
    os._exit(status & 0xFF)


def main(descriptor: int) -> None:
    """Serve what comes through the pipe `descriptor`; first comes the number of the one for the answers."""
    told = os.read(descriptor, NUMBER.size)
    if not told:
        return  # the run ended before this process was there
    (answers,) = NUMBER.unpack(told)
    os.set_inheritable(descriptor, False)
    os.set_inheritable(answers, False)
    for stream in (sys.stdout, sys.stderr):
        # Whatever encoding the program prints in: this is read by the run alone.
        stream.reconfigure(**PLAIN_TEXT)  # type: ignore[union-attr]
    worker = Worker(Link(descriptor, answers))
    try:
        worker.serve()
    except (EOFError, ConnectionError):
        return  # the run ended before this process was there
    finally:
        worker.groups.close(0.0)
