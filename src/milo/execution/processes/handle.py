"""A worker process from this side: it is handed one attempt at a time, and ended alone where one has to end."""

from __future__ import annotations

import math
import os
import pickle
import select
import signal
import sys
import threading
import time
from contextlib import ExitStack
from typing import Any, NoReturn

from milo.execution.exits import HUNG_UP, exit_reason, exit_words
from milo.execution.framing import new_mark
from milo.execution.groups import ASKED_NICELY
from milo.execution.guard import guard
from milo.execution.guard_process import kill_sessions, signal_group, still_ours
from milo.execution.pipes import exit_notice, has_exited
from milo.execution.placement import Work, WorkerError
from milo.execution.processes.outlet import Outlet
from milo.execution.processes.pipes import WorkerPipes
from milo.execution.processes.worker import ERRAND, GROUP, HEEDS, NUMBER, OUTCOME, READY, TOLD
from milo.execution.program import program_here, start_process
from milo.saga.ports import Job

__all__ = ["NotTakenError", "Worker"]

_START_S = 60.0
_LEAVE_S = 1.0
_CHUNK = 65536
_MODULE = "milo.execution.processes.worker"
# Linux looks at the descriptors of a poll in the order in which they were registered.
_POLLS_IN_ORDER = sys.platform == "linux"


class NotTakenError(Exception):
    """A worker has died before it was given the attempt."""


class Worker:
    """One worker process. Whoever runs an attempt in it is the only one who reads from it.

    Raises:
        WorkerError: It could not be started.
    """

    def __init__(self) -> None:
        program = program_here("milo-worker")
        with ExitStack() as undoing:
            try:
                self._start(undoing)
            except OSError as error:
                raise WorkerError(
                    f"A worker process cannot be started: {error.strerror or error}."
                ) from error
            undoing.pop_all()
        guard.descriptor()
        guard.add(self.pid)
        self._mark = new_mark()
        streams = zip(self._pipes.reading, ("stdout", "stderr"), strict=True)
        self._outlets = {reading: Outlet(stream, self._mark) for reading, stream in streams}
        self._link = self._pipes.link
        self._messages = self._link.fileno()
        self._wake_read, self._wake_write = self._pipes.wake
        self._poll = select.poll()
        # The messages first: see `_step`.
        for descriptor in (self._messages, self._exit, self._wake_read, *self._outlets):
            self._poll.register(descriptor, select.POLLIN)
        self._lock = threading.Lock()  # guards what follows: a number that was given back gets no signal
        self._ended = False
        self._groups: dict[int, bool] = {}
        self._ready = False
        self._late = False
        self._heeds = False
        self._killed = False
        self._attempts = 0
        self._quiet = False
        self.usable = True
        self._tell({"mark": self._mark, "program": program, "cancels": self._pipes.cancels})

    def _start(self, undoing: ExitStack) -> None:
        """Start the process, and note how to undo what was done if the rest fails."""
        self._pipes = pipes = WorkerPipes()
        undoing.callback(pipes.close)
        undoing.callback(pipes.link.close)
        try:
            os.write(pipes.link.writing, NUMBER.pack(pipes.answers))
            self._process = start_process(
                _MODULE,
                pipes.errands,
                stdout=pipes.writing[0],
                stderr=pipes.writing[1],
                descriptors=(pipes.answers, pipes.cancels),
            )
        finally:
            pipes.hand_over()
        undoing.callback(self._process.wait)
        undoing.callback(self._process.kill)
        self.pid = self._process.pid
        self._exit = exit_notice(self.pid)

    def _tell(self, told: dict[str, Any]) -> None:
        try:
            self._link.send(TOLD, pickle.dumps(told))
        except OSError:
            return  # it has ended already, which is seen when it is used

    def run(self, work: Work, job: Job, errand: bytes) -> bytes | bytearray:
        """Run one attempt: hand out its lines, pass on its cancellation, and return its packed outcome.

        Raises:
            NotTakenError: It had died after an attempt before this one; this one was not begun.
            WorkerError: The process has ended before the attempt, or what was printed there cannot be passed on.
        """
        self._heeds = False
        for outlet in self._outlets.values():
            outlet.open(work, job)
        forget = job.on_cancel(self._wake)
        try:
            outcome = self._outcome(job, errand)
            if outcome is None:
                self._bury(work)
            for outlet in self._outlets.values():
                outlet.close()
            return outcome
        except BaseException:
            # It may still be at the attempt, whose outcome must not be taken for that of another one.
            self.kill()
            raise
        finally:
            forget()

    def _outcome(self, job: Job, errand: bytes) -> bytes | bytearray | None:
        """Have an attempt run; returns its packed outcome, or None when the process has ended without one."""
        try:
            self._wait_ready(job)
            self._hand_over(errand)
            outcome = self._attend(job)
            if not self._quiet:
                self._drain()
        except (EOFError, OSError):
            return None
        return outcome

    def _wait_ready(self, job: Job) -> None:
        until = time.monotonic() + _START_S
        while not self._ready and not (job.cancelled and self._stop(job) == 0.0):
            if time.monotonic() > until:
                self._late = True
                self.kill()
            self._step(until)

    def _hand_over(self, errand: bytes) -> None:
        self._attempts += 1
        try:
            self._link.send(ERRAND, errand)
        except OSError as reason:
            if self._attempts == 1:
                raise
            # Whole or not at all: what has arrived in part is no errand.
            self.usable = False
            raise NotTakenError from reason

    def _attend(self, job: Job) -> bytes | bytearray:
        """Look after the attempt until its outcome is there."""
        kill_at = math.inf
        while True:
            if job.cancelled and kill_at == math.inf and not self._has_message():
                kill_at = time.monotonic() + self._stop(job)
            if time.monotonic() >= kill_at:
                self.kill()
            outcome = self._step(kill_at)
            if outcome is not None:
                return outcome

    def _stop(self, job: Job) -> float:
        """Tell the attempt to end if it heeds that; returns for how many seconds it may go on."""
        if not self._heeds or not job.linger:
            self.kill()
            return 0.0
        os.write(self._pipes.telling, NUMBER.pack(self._attempts))
        return ASKED_NICELY * job.linger

    def _step(self, until: float) -> bytes | bytearray | None:
        """Wait for something to happen and deal with it; returns the outcome if that was it.

        Raises:
            EOFError: The process has ended.
        """
        self._quiet = False
        if self._link.pending:
            return self._take_message()
        left_ms = None if until == math.inf or self._killed else max(0.0, until - time.monotonic()) * 1000
        found = self._poll.poll(left_ms)
        if len(found) == 1 and found[0][0] == self._messages:
            # What was written before this message was there when the pipes were looked at, after the messages.
            self._quiet = _POLLS_IN_ORDER
            return self._take_message()
        ready = {descriptor for descriptor, _ in found}
        for descriptor in ready.intersection(self._outlets):
            self._read(descriptor)
        if self._messages in ready:
            return self._take_message()
        if self._exit in ready:
            # What it sent last was there before it ended.
            if self._has_message():
                return self._take_message()
            raise EOFError
        if self._wake_read in ready:
            os.read(self._wake_read, _CHUNK)
        return None

    def _has_message(self) -> bool:
        """Whether something was told that was not read: it may be that the attempt ends by itself, or has ended."""
        return self._link.pending or self._messages in {descriptor for descriptor, _ in self._poll.poll(0)}

    def _take_message(self) -> bytes | bytearray | None:
        kind, body = self._link.receive()
        if kind == OUTCOME:
            return body
        if kind == HEEDS:
            self._heeds = True
        elif kind == READY:
            self._ready = True
        elif kind == GROUP:
            group = int(body[1:])
            self._groups[group] = body[:1] == b"~"
            if body[:1] == b"-":
                del self._groups[group]
        return None

    def _read(self, descriptor: int, most: int = _CHUNK) -> int:
        """Hand out what is in a pipe, at most so many bytes; returns how many there were."""
        try:
            data = os.read(descriptor, most)
        except BlockingIOError:
            return 0
        if data:
            self._outlets[descriptor].take(data)
        else:
            self._poll.unregister(descriptor)
        return len(data)

    def _drain(self) -> None:
        """Hand out what is in the pipes: what an attempt has written is there before its outcome is."""
        # Not more than they hold: a process that it has left behind may write for ever.
        left = dict.fromkeys(self._outlets, _CHUNK)
        while ready := [each for each, _ in self._poll.poll(0) if left.get(each, 0) > 0]:
            for descriptor in ready:
                left[descriptor] -= self._read(descriptor, left[descriptor]) or _CHUNK

    def _bury(self, work: Work) -> NoReturn:
        """The process has ended: end what it has started, and raise what became of it."""
        self.usable = False
        self._drain()
        last = [outlet.last for outlet in self._outlets.values() if outlet.last]
        for outlet in self._outlets.values():
            outlet.close()
        # Killed at once, one that has only hung up would look like one that somebody else has killed.
        exited = has_exited(self._exit, _LEAVE_S)
        self.end()
        status = self._process.returncode
        if self._ready:
            raise WorkerError(
                f"The worker process of phase {work.name!r} {exit_words(status)} before the phase was done.",
                hint=exit_reason(status) if exited else HUNG_UP,
            )
        told = f" It wrote: {last[-1]}" if last else ""
        if self._late:
            raise WorkerError(
                f"A worker process was not ready after {_START_S:g} s.{told}",
                hint="Something that Python loads when it starts, such as sitecustomize, may be waiting.",
            )
        raise WorkerError(
            f"A worker process did not start: it {exit_words(status)}.{told}",
            hint=f"It is started with {sys.executable!r} and this program's import path.",
        )

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except OSError:
            return  # awake already, or ended

    def kill(self) -> None:
        """Kill the process and everything in its session. Returns at once; for any thread."""
        self._killed = True
        self.usable = False
        with self._lock:
            if not self._ended:
                signal_group(self.pid, signal.SIGKILL)

    def let_go(self) -> None:
        """Let the process end by itself."""
        self.usable = False
        self._link.close()

    def end(self, until: float = 0.0) -> None:
        """See the process and its session ended, at the latest at monotonic time `until`, and release everything."""
        with self._lock:
            if self._ended:
                return
            has_exited(self._exit, until - time.monotonic())
            leaders = [group for group, left in self._groups.items() if not left]
            left = still_ours([group for group, left in self._groups.items() if left])
            kill_sessions([self.pid, *leaders, *left])
            self._process.wait()
            self._ended = True
        guard.remove(self.pid)
        self._link.close()
        os.close(self._exit)
        self._pipes.close()
