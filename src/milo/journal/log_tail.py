"""Which log lines stay in the journal: the last ones of each phase, whatever it prints."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from milo.action import Action
from milo.journal.chain import link
from milo.journal.entries import LOG, STREAMS

__all__ = ["LogTail", "Tail"]

_STREAMS = {stream: number for number, stream in enumerate(STREAMS)}


Line = tuple[int, int, int, int, float, str, bytes]
"""A line on its way: place, after which record, number in its phase, stream, timestamp, text, that record's hash."""


class Tail:
    """The lines of one phase.

    Args:
        phase: The phase's number.
        limit: How many lines are wanted.
        count: How many it has had.
        places: Where those stand that the journal has.
    """

    __slots__ = ("count", "fresh", "limit", "output", "phase", "places")

    def __init__(self, phase: int, limit: int, count: int = 0, places: deque[int] | None = None) -> None:
        self.phase = phase
        self.limit = limit
        self.count = count
        self.places: deque[int] = places if places is not None else deque()
        self.fresh: deque[Line] = deque(maxlen=limit)
        self.output: list[str] = []

    def take(self) -> tuple[list[Line], list[int]]:
        """The lines that have come and shall stay, and the places of those that have had their time."""
        fresh = list(self.fresh)
        self.fresh.clear()
        surplus = len(self.places) + len(fresh) - self.limit
        # Not at each line, for deleting costs more than a few too many; but no gap is left in what stays.
        if surplus <= self.limit and len(fresh) < self.limit:
            surplus = 0
        old = [self.places.popleft() for _ in range(surplus)]
        self.places.extend([line[0] for line in fresh])
        return fresh, old


class LogTail:
    """The lines of all phases of a run, from the actions of a batch to rows.

    Args:
        limits: How many lines of each phase are wanted, by name, in declared order.
        base: Where the run's rows begin.
        line: How many lines the run has had.
        tails: What the journal has already, by name.
    """

    def __init__(
        self, limits: Mapping[str, int], base: int, line: int = 0, tails: Mapping[str, Tail] | None = None
    ) -> None:
        self._limits = limits
        self._numbers = {name: number for number, name in enumerate(limits)}
        self._base = base
        self._line = line
        self._tails: dict[str, Tail] = dict(tails or {})
        self._changed: dict[str, Tail] = {}

    def add(self, action: Action, after: int, head: bytes) -> bool:
        """Take a log line that came after the record `after`, whose hash is `head`.

        Returns:
            Whether it is one as milo makes them; others belong into the records.
        """
        payload: Any = action.payload
        if payload.__class__ is not dict or len(payload) != 4:
            return False
        try:
            name, text, timestamp = payload["name"], payload["line"], payload["timestamp"]
            stream = _STREAMS[payload["stream"]]
            tail = self._tails.get(name) or self._new(name)
        except (KeyError, TypeError):
            return False
        if text.__class__ is not str or timestamp.__class__ is not float:
            return False
        self._line += 1
        tail.count += 1
        tail.output.append(text)
        tail.fresh.append((self._base + self._line, after, tail.count, stream, timestamp, text, head))
        self._changed[name] = tail
        return True

    def _new(self, name: str) -> Tail:
        tail = self._tails[name] = Tail(self._numbers[name], self._limits[name])
        return tail

    def outputs(self) -> list[tuple[str, list[str]]]:
        """The lines of the batch by phase, none left out."""
        found = [(name, tail.output) for name, tail in self._changed.items()]
        for tail in self._changed.values():
            tail.output = []
        return found

    def take(self) -> tuple[list[Any], list[int]]:
        """The rows to insert (place, data, hash, place, ...) in order, and the places to delete."""
        lines: list[tuple[Line, int]] = []
        old: list[int] = []
        for tail in self._changed.values():
            fresh, surplus = tail.take()
            lines += [(line, tail.phase) for line in fresh]
            old += surplus
        self._changed.clear()
        if len(lines) > 1:
            lines.sort()
        rows: list[Any] = []
        for (place, after, number, stream, timestamp, text, head), phase in lines:
            data = LOG.pack(after, phase, number, stream, timestamp) + text.encode("utf-8", "surrogatepass")
            rows += (place, data, link(head, data))
        return rows, old
