"""The turn: who applies what, and that nothing is lost between threads."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize("error", [ValueError("on purpose"), SystemExit(3), KeyboardInterrupt()])
def test_an_error_does_not_strand_those_who_wait_for_the_turn(error: BaseException) -> None:
    """Who came while the failing action was applied is served all the same."""
    entered, release = threading.Event(), threading.Event()
    applied: list[str] = []

    def apply(action: Action) -> None:
        if action.type == "bad":
            entered.set()
            release.wait(10)
            raise error
        applied.append(action.type)

    turn = Turn(apply, lambda action, error: None)
    raised: list[BaseException] = []

    def bad() -> None:
        try:
            turn.do(Action("bad"))
        except BaseException as caught:  # noqa: BLE001 - any of them is the expected one
            raised.append(caught)

    holder = threading.Thread(target=bad)
    holder.start()
    assert entered.wait(10)
    waiting = threading.Thread(target=turn.do, args=(Action("waits"),), daemon=True)
    waiting.start()
    while not turn._inbox:
        waiting.join(0.001)
    release.set()
    holder.join(10)
    waiting.join(10)
    assert not waiting.is_alive()
    assert applied == ["waits"]
    assert raised == [error]


def test_a_posted_action_that_ends_badly_costs_nobody_else_theirs() -> None:
    """SystemExit in an action that nobody waits for is reported, and what comes behind it applied."""
    entered, release = threading.Event(), threading.Event()
    applied: list[str] = []
    reported: list[str] = []

    def apply(action: Action) -> None:
        if action.type == "slow":
            entered.set()
            release.wait(10)
        if action.type == "bad":
            raise SystemExit(3)
        applied.append(action.type)

    turn = Turn(apply, lambda action, error: reported.append(repr(error)))
    holder = threading.Thread(target=turn.do, args=(Action("slow"),))
    holder.start()
    assert entered.wait(10)
    turn.post(Action("bad"))
    turn.post(Action("good"))
    release.set()
    holder.join(10)
    turn.do(Action("last"))
    assert applied == ["slow", "good", "last"]
    assert reported == ["SystemExit(3)"]


def test_a_bad_inner_action_does_not_hold_back_the_others() -> None:
    """Those behind it are applied before the outer dispatch returns, which raises what is no Exception."""
    applied: list[str] = []

    def apply(action: Action) -> None:
        if action.type == "outer":
            turn.do(Action("bad"))
            turn.do(Action("good"))
        if action.type == "bad":
            raise SystemExit(3)
        applied.append(action.type)

    turn = Turn(apply, lambda action, error: None)
    with pytest.raises(SystemExit):
        turn.do(Action("outer"))
    assert applied == ["outer", "good"]


@settings(max_examples=30)
@given(
    plans=st.lists(
        st.lists(st.sampled_from(["do", "post", "nest", "fail"]), min_size=1, max_size=8),
        min_size=1,
        max_size=4,
    )
)
def test_any_mixture_of_threads_is_applied_once_and_in_each_ones_order(plans: list[list[str]]) -> None:
    """Dispatched, posted, from inside another or failing: one at a time, and whoever waited is told."""
    applied: list[tuple[int, int, bool]] = []
    failures: list[object] = []
    inside = threading.Lock()

    def apply(action: Action) -> None:
        assert inside.acquire(blocking=False)
        try:
            applied.append(action.payload)
            thread, number, _ = action.payload
            if action.type == "nest":
                turn.do(Action("do", (thread, number, True)))
            if action.type == "fail":
                raise ValueError(number)
        finally:
            inside.release()

    turn = Turn(apply, lambda action, error: failures.append(error))
    start = threading.Barrier(len(plans))

    def work(thread: int, plan: list[str]) -> None:
        start.wait(10)
        for number, how in enumerate(plan):
            action = Action(how, (thread, number, False))
            if how == "post":
                turn.post(action)
            elif how == "fail":
                with pytest.raises(ValueError, match=f"^{number}$"):
                    turn.do(action)
            else:
                turn.do(action)
                assert action.payload in applied

    threads = [threading.Thread(target=work, args=each, daemon=True) for each in enumerate(plans)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert not failures
    for number, plan in enumerate(plans):
        own = [each for each in applied if each[0] == number]
        assert [each[1] for each in own if not each[2]] == list(range(len(plan)))
        for place, how in enumerate(plan):
            if how == "nest":
                outer = applied.index((number, place, False))
                assert applied[outer + 1] == (number, place, True)
