"""The work of an App ends with it: sagas are cancelled, clean up, and are not waited for for ever."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

import pytest

from milo import Call, Delay
from milo.errors import StateError
from milo.terminal.work import WorkStore


def test_it_knows_which_sagas_have_not_ended() -> None:
    done: list[int] = []
    store = WorkStore(lambda state, action: 1, 1)
    store.when_done = lambda: done.append(len(store.tasks))
    quick, slow = store.run_saga(lambda: (yield Delay(0))), store.run_saga(lambda: (yield Delay(60)))
    quick.result(10)
    assert store.tasks == {slow}
    assert done == [1]
    store.end(5)
    assert store.tasks == set()


def test_the_end_lets_sagas_clean_up_and_closes_the_store() -> None:
    cleaned: list[str] = []

    def saga() -> Generator[Any, Any, None]:
        try:
            yield Delay(60)
        finally:
            # The store's own shutdown waits no longer than for this.
            yield Delay(0.01)
            yield Call(cleaned.append, ("up",))

    store = WorkStore(lambda state, action: 1, 1)
    task = store.run_saga(saga)
    store.end(30)
    assert cleaned == ["up"]
    assert task.cancelled()
    with pytest.raises(StateError, match="shut down"):
        store.run_saga(saga)


def test_what_does_not_end_is_left_behind_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    said: list[str] = []
    monkeypatch.setattr("milo.terminal.work._SILENT_S", 0.01)
    monkeypatch.setattr("milo.terminal.work._say", said.append)

    def saga() -> Generator[Any, Any, None]:
        try:
            yield Delay(60)
        finally:
            yield Call(release.wait)

    store = WorkStore(lambda state, action: 1, 1)
    store.run_saga(saga)
    store.end(0.02)
    assert said == ["Waiting for what still runs to end; Ctrl-C does not wait.\n"]
    release.set()
