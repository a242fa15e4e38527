"""The turn: who applies what, and that nothing is lost between threads."""

from __future__ import annotations

import threading

import pytest

from milo.action import Action
from milo.store.turn import Turn


def test_actions_are_applied_one_at_a_time_and_none_is_lost() -> None:
    """Posted or done, from many threads."""
    applied: list[int] = []
    inside = threading.Lock()

    def apply(action: Action) -> None:
        assert inside.acquire(blocking=False)
        applied.append(action.payload)
        inside.release()

    turn = Turn(apply, lambda action, error: None)

    def work(base: int) -> None:
        for number in range(base, base + 1000):
            (turn.post if number % 3 else turn.do)(Action("x", number))

    threads = [threading.Thread(target=work, args=(base * 10_000,)) for base in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(applied) == len(set(applied)) == 6000
    for base in range(6):
        mine = [number for number in applied if number // 10_000 == base]
        assert mine == sorted(mine)


def test_what_an_action_does_on_its_own_thread_comes_after_it() -> None:
    """And before the outer `do` returns, though the inner one returns at once."""
    log: list[str] = []

    def apply(action: Action) -> None:
        log.append(f"begin {action.type}")
        if action.type == "outer":
            turn.do(Action("inner"))
            turn.post(Action("posted"))
        log.append(f"end {action.type}")

    turn = Turn(apply, lambda action, error: None)
    turn.do(Action("outer"))
    assert log == ["begin outer", "end outer", "begin inner", "end inner", "begin posted", "end posted"]


def test_an_error_goes_to_the_one_who_waits_and_else_is_reported() -> None:
    """A posted action has nobody who waits."""
    reported: list[str] = []

    def apply(action: Action) -> None:
        raise ValueError(action.type)

    turn = Turn(apply, lambda action, error: reported.append(f"{action.type}: {error}"))
    with pytest.raises(ValueError, match="done"):
        turn.do(Action("done"))
    turn.post(Action("posted"))
    assert reported == ["posted: posted"]
    assert not turn.mine()


def test_an_action_whose_apply_fails_still_has_its_inner_ones_applied() -> None:
    """They were dispatched, so they count."""
    applied: list[str] = []

    def apply(action: Action) -> None:
        applied.append(action.type)
        if action.type == "outer":
            turn.do(Action("inner"))
            raise ValueError("outer failed")

    turn = Turn(apply, lambda action, error: None)
    with pytest.raises(ValueError, match="outer failed"):
        turn.do(Action("outer"))
    assert applied == ["outer", "inner"]


def test_a_poster_waits_only_when_very_many_are_ahead() -> None:
    """While somebody is at it, posting returns at once."""
    entered, release = threading.Event(), threading.Event()
    applied: list[int] = []

    def apply(action: Action) -> None:
        if action.type == "slow":
            entered.set()
            release.wait()
        else:
            applied.append(action.payload)

    turn = Turn(apply, lambda action, error: None)
    holder = threading.Thread(target=turn.do, args=(Action("slow"),))
    holder.start()
    assert entered.wait(10)
    for number in range(2048):
        turn.post(Action("x", number))
    assert applied == []
    above_the_cap = threading.Thread(target=turn.post, args=(Action("x", 2048),))
    above_the_cap.start()
    release.set()
    holder.join(10)
    above_the_cap.join(10)
    assert applied == list(range(2049))
