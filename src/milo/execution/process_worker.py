"""A worker process: takes one attempt after the other from a pipe and runs each in its main thread."""

from __future__ import annotations

import io
import os
import pickle
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from milo.execution.framing import Frames
from milo.execution.groups import Led, ProcessGroups, current_groups
from milo.execution.placement import WorkerError
from milo.execution.program import Unpickler, adopt_program
from milo.execution.remote import Errand, RemoteHost, RemoteJob, packed_outcome

__all__ = ["main"]

READY, OUTCOME, HEEDS, GROUP = b"r", b"o", b"h", b"g"
ERRAND, CANCEL = b"e", b"c"


class _ToldGroups(ProcessGroups):
    """Tells the run's process of the commands that run, so that it can end them when it has ended this one."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def add(self, command: Led) -> None:
        super().add(command)
        self._worker.send(GROUP + b"+%d" % command.group)

    def done(self, command: Led, *, left: bool) -> None:
        super().done(command, left=left)
        self._worker.send(GROUP + b"%s%d" % (b"~" if left else b"-", command.group))


class Worker:
    """The worker's end of the pipe. Attempts run one at a time, so it reports on the one that runs.

    Args:
        connection: To the run's process.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._errands: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._job: RemoteJob | None = None
        self._busy = False
        self._name = ""
        self._frames: dict[str, Frames] = {}
        self.groups = _ToldGroups(self)

    def serve(self) -> None:
        """Run what comes until the run's process closes its end."""
        told = pickle.loads(self._connection.recv_bytes())
        # Copies: a handler may well close or redirect its own.
        self._frames = {
            "stdout": Frames(told["mark"], os.dup(1)),
            "stderr": Frames(told["mark"], os.dup(2)),
        }
        adopt_program(told["program"])
        host = RemoteHost()
        host.context.run(current_groups.set, self.groups)
        threading.Thread(target=self._listen, name="milo-listen", daemon=True).start()
        self.send(READY)
        while (message := self._errands.get()) is not None:
            self._run(host, message)

    def _listen(self) -> None:
        try:
            while True:
                message = self._connection.recv_bytes()
                if message[:1] == ERRAND:
                    self._busy = True
                    self._errands.put(message)
                elif self._job is not None:
                    self._job.cancel()
        except (EOFError, OSError):
            if self._busy:
                # The run's process was killed, or does not want the outcome: nothing of this session goes on.
                _end_session()
            self._errands.put(None)

    def _run(self, host: RemoteHost, message: bytes) -> None:
        try:
            errand = Errand(*Unpickler(io.BytesIO(message[1:])).load())
        except BaseException as reason:  # noqa: BLE001 - loading runs the user's modules
            told = f"{type(reason).__name__}: {reason}".rstrip(".")
            hint = "Its module, and those of what it is given, must be importable in a new process."
            self.outcome(
                None, WorkerError(f"The attempt cannot be loaded in its worker process: {told}.", hint=hint)
            )
            return
        self._name = errand.name
        self._job = host.run(errand, self)
        self._job.run()

    def line(self, stream: str, line: str) -> None:
        """Tell a line between what is printed to the same stream before and after it."""
        target = getattr(sys, stream)
        if target is not None:
            target.flush()
        self._frames[stream].write(line)

    def heeds(self) -> None:
        self.send(HEEDS)

    def outcome(self, value: Any, error: BaseException | None) -> None:
        self._job = None
        packed = packed_outcome(self._name, value, error)
        self._busy = False
        self.send(OUTCOME + packed)

    def send(self, message: bytes) -> None:
        with self._sending:
            self._connection.send_bytes(message)


def _end_session() -> None:
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main(descriptor: int) -> None:
    """Serve on `descriptor`, a socket that the process was started with."""
    os.set_inheritable(descriptor, False)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    worker = Worker(Connection(descriptor))
    try:
        worker.serve()
    except (EOFError, BrokenPipeError):
        return  # the run ended before this process was there
    finally:
        worker.groups.close(0.0)
