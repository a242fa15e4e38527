"""The floor with threads: they share one queue, and who ends a phase goes on with the first that it made ready."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from shapes import Graph, Handlers, Results


class Pool:
    """Threads that release successors themselves: no state, no errors kept apart, nothing to look at."""

    def __init__(self, graph: Graph, handlers: Handlers, workers: int) -> None:
        self.results: dict[str, int] = {}
        self._graph = graph
        self._handlers = handlers
        self._workers = workers
        self._missing = {name: len(before) for name, before in graph.items()}
        self._after: dict[str, list[str]] = {name: [] for name in graph}
        for name, before in graph.items():
            for other in before:
                self._after[other].append(name)
        self._left = len(graph)
        self._lock = threading.Lock()  # guards _missing and _left
        self._ready: SimpleQueue[str | None] = SimpleQueue()
        self._error: BaseException | None = None

    def run(self) -> Results:
        for name, count in self._missing.items():
            if not count:
                self._ready.put(name)
        threads = [threading.Thread(target=self._work) for _ in range(self._workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error
        return self.results

    def _work(self) -> None:
        try:
            while (name := self._ready.get()) is not None:
                following: str | None = name
                while following is not None:
                    following = self._do(following)
        except BaseException as error:  # noqa: BLE001 -- raised by `run` when the others have stopped
            self._error = error
            self._stop()

    def _do(self, name: str) -> str | None:
        results = self.results
        results[name] = self._handlers[name]({other: results[other] for other in self._graph[name]})
        kept: str | None = None
        with self._lock:
            self._left -= 1
            ended = not self._left
            for follower in self._after[name]:
                self._missing[follower] -= 1
                if self._missing[follower]:
                    continue
                if kept is None:
                    kept = follower
                else:
                    self._ready.put(follower)
        if ended:
            self._stop()
        return kept

    def _stop(self) -> None:
        for _ in range(self._workers):
            self._ready.put(None)


def declare(graph: Graph, handlers: Handlers, workers: int) -> Pool:
    """The pool with what each phase waits for counted."""
    return Pool(graph, handlers, workers)


def execute(pool: Pool) -> Results:
    """Start the threads and wait for them."""
    return pool.run()
