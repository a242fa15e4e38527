"""Updates: tells subscribers what has changed, at most ten times a second, and the last change always."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Final, NoReturn

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from milo.errors import MiloError
from milo.log import log
from milo.pipeline import PhaseStatus
from milo.views.mcp.addresses import GRAPH, RUNS, TIMELINE, parse
from milo.views.mcp.look import Look, Source

__all__ = ["PERIOD_S", "Subscriber", "Updates"]

PERIOD_S: Final = 0.1
"""Between two looks for what has changed, at least."""
# A look at a large run is paid back by a rest, so that watching takes a tenth of a processor at most.
_REST: Final = 9.0
# Nor shall whoever reads a timeline at every update do nothing else: ten thousand phases take him some 40 ms.
_REST_A_PHASE_S: Final = 5e-5
# Whoever waits for the end of a run hears of it before long all the same.
_LONGEST_REST_S: Final = 1.0


class Subscriber:
    """Somebody who wants to be told of some addresses.

    What has changed is noted once however often it changes, so whoever does not listen costs nothing.

    Args:
        uris: The addresses.
    """

    def __init__(self, uris: Iterable[str] = ()) -> None:
        self.uris: set[str] = set(uris)
        self.unseen: set[str] = set(self.uris)
        """Told at the next look whatever has changed: something may have since the subscriber read it."""
        self._pending: dict[str, None] = {}
        self._news = asyncio.Event()

    def add(self, uri: str) -> None:
        """Want to be told of one more address."""
        self.uris.add(uri)
        self.unseen.add(uri)

    def drop(self, uri: str) -> None:
        """Want to be told of an address no more."""
        self.uris.discard(uri)
        self.unseen.discard(uri)
        self._pending.pop(uri, None)

    def note(self, uri: str) -> None:
        """Note that something has changed."""
        self._pending[uri] = None
        self._news.set()

    async def deliver(self, send: Callable[[str], Awaitable[object]]) -> NoReturn:
        """Tell of what was noted, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._pending:
                uri = next(iter(self._pending))
                # Before the sending, which takes its time: what changes meanwhile is noted again.
                del self._pending[uri]
                await send(uri)


class Updates:
    """Looks for what has changed as long as somebody is subscribed, and notes it for them.

    Args:
        source: Where runs come from.
        group: Where tasks are started.
        clock: Seconds; how long a look took.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        source: Source,
        group: TaskGroup,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._source = source
        self._group = group
        self._clock = clock
        self._sleep = sleep
        self._subscribers: dict[object, Subscriber] = {}
        self._news = asyncio.Event()
        self._before: Look | None = None
        self._runs: object = None

    def __len__(self) -> int:
        return len(self._subscribers)

    def start(self, work: Callable[..., Coroutine[Any, Any, object]], *args: object) -> None:
        """Do something beside, as long as the server lives."""
        self._group.start_soon(work, *args)

    def subscriber(self, key: object) -> Subscriber | None:
        """The subscriber under `key`, if there is one."""
        return self._subscribers.get(key)

    def join(self, key: object, subscriber: Subscriber) -> None:
        """Tell a subscriber from now on; also to be called when it wants more."""
        self._subscribers[key] = subscriber
        self._news.set()

    def leave(self, key: object) -> None:
        """Tell a subscriber no more."""
        self._subscribers.pop(key, None)

    async def serve(self) -> None:
        """Look and note, until cancelled."""
        alarm = _Alarm(asyncio.get_running_loop(), self._news)
        stop = self._source.watch(alarm.ring)
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                # Before the look, which shows whatever was published until then.
                alarm.set()
                started = self._clock()
                await self._round()
                await self._sleep(self._rest_s(self._clock() - started))
                if self._source.polled and self._wanting():
                    self._news.set()
        finally:
            stop()

    def _rest_s(self, took_s: float) -> float:
        phases = len(self._before.state.leaves) if self._before is not None else 0
        return min(max(PERIOD_S, _REST * took_s, _REST_A_PHASE_S * phases), _LONGEST_REST_S)

    def _wanting(self) -> list[Subscriber]:
        return [each for each in self._subscribers.values() if each.uris]

    async def _round(self) -> None:
        subscribers = self._wanting()
        if not subscribers:
            return
        before = self._before
        look = self._before = await anyio.to_thread.run_sync(partial(_quiet, self._source.look))
        runs_changed = await self._runs_changed(subscribers)
        for subscriber in subscribers:
            unseen, subscriber.unseen = subscriber.unseen, set()
            for uri in list(subscriber.uris):
                if uri in unseen or (runs_changed if uri == RUNS else changed(uri, before, look)):
                    subscriber.note(uri)

    async def _runs_changed(self, subscribers: list[Subscriber]) -> bool:
        if not any(RUNS in each.uris for each in subscribers):
            return False
        before = self._runs
        found = await anyio.to_thread.run_sync(partial(_quiet, self._source.runs))
        self._runs = [(run["run"], run["status"]) for run in found or ()]
        return before != self._runs


def changed(uri: str, before: Look | None, after: Look | None) -> bool:
    """Whether what an address names looks different now."""
    if before is None or after is None:
        return before is not after
    if before.run != after.run or before.note != after.note:
        return True
    if uri == TIMELINE:
        return before.state is not after.state or before.status != after.status
    if uri == GRAPH:
        return before.phases is not after.phases
    if (before.status == "interrupted") != (after.status == "interrupted"):
        # The state is the same, but its phases are told otherwise.
        return True
    return before.state is not after.state and _phase(before, uri) != _phase(after, uri)


def _phase(look: Look, uri: str) -> PhaseStatus | None:
    try:
        return look.state.phase(parse(uri).phase or "")
    except KeyError:
        return None


def _quiet(look: Callable[[], Any]) -> Any:
    """What cannot be looked at is nothing; whoever reads it is told why."""
    try:
        return look()
    except MiloError:
        return None
    except Exception:  # noqa: BLE001 - subscribers are told of the next state all the same
        log.exception("the run cannot be looked at")
        return None


class _Alarm:
    """Wakes a loop, once for each time that it was set: who publishes rings thousands of times a second perhaps."""

    def __init__(self, loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> None:
        self._loop = loop
        self._news = news
        self._is_set = True

    def set(self) -> None:
        self._is_set = True

    def ring(self) -> None:
        """Called by whoever publishes, from any thread."""
        if self._is_set:
            self._is_set = False
            # A loop that was closed meanwhile has nobody who listens.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._news.set)
