"""The effects: inert values that a saga yields to say what it wants done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from milo.action import Action
from milo.errors import StateError
from milo.saga.checks import check_callable, check_seconds, each_saga
from milo.value import Value, assign, setters

if TYPE_CHECKING:
    from milo.saga.channel import Channel
    from milo.saga.task import SagaTask

__all__ = [
    "All",
    "Call",
    "Cancel",
    "Debounce",
    "Delay",
    "Effect",
    "Fork",
    "Join",
    "Put",
    "Race",
    "Retry",
    "Saga",
    "SagaCancelled",
    "SagaSource",
    "Select",
    "Take",
    "TakeEvery",
    "TakeLatest",
    "Timeout",
    "TryCall",
]

Saga: TypeAlias = Generator[Any, Any, Any]
SagaSource: TypeAlias = Saga | Callable[[], Saga]

_BACKOFFS = ("exponential", "linear", "fixed")


class SagaCancelled(BaseException):
    """Thrown into a saga that was cancelled; its ``finally`` blocks may still yield effects."""


class Effect(Value):
    """The base of all effects; yields of anything else are refused."""

    __slots__ = ()


class Put(Effect):
    """Dispatch `action`; answers None once it has been applied."""

    __slots__ = ("action",)
    __match_args__ = ("action",)
    action: Action

    def __init__(self, action: Action) -> None:
        _put_action(self, action)


(_put_action,) = setters(Put)


class Call(Effect):
    """Call ``fn(*args, **kwargs)`` on a worker; answers what it returns and raises what it raises.

    A coroutine that it returns is awaited.

    Args:
        fn: What to call.
        args: What it gets by position.
        kwargs: What it gets by name.
        timeout: Seconds after which the call is told to end and the saga gets a TimeoutError; None for no limit.
        linger: Seconds for which a saga that is cancelled, or whose time is up, lets the call end first if it can
            be interrupted (a coroutine, a subprocess, a handler that heeds its cancellation). One that cannot, or
            does not end by then, is abandoned.
    """

    __slots__ = ("args", "fn", "kwargs", "linger", "timeout")
    __match_args__ = ("fn", "args", "kwargs", "timeout", "linger")
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    timeout: float | None
    linger: float

    def __init__(
        self,
        fn: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        linger: float = 0.0,
    ) -> None:
        if timeout is not None:
            check_seconds("Call timeout", timeout)
        if linger.__class__ is not float or not 0.0 <= linger <= sys.float_info.max:
            check_seconds("Call linger", linger)
        _call_args(self, args if args.__class__ is tuple else tuple(args))
        _call_fn(self, fn)
        _call_kwargs(self, dict(kwargs) if kwargs else {})
        _call_timeout(self, timeout)
        _call_linger(self, linger)

    def __hash__(self) -> int:
        return hash(("Call", self.fn, self.args, frozenset(self.kwargs.items())))


_call_fn, _call_args, _call_kwargs, _call_timeout, _call_linger = setters(Call)


class TryCall(Effect):
    """Like Call, but answers ``(result, None)`` or ``(None, error)`` instead of raising an Exception."""

    __slots__ = ("args", "fn", "kwargs")
    __match_args__ = ("fn", "args", "kwargs")
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __init__(
        self, fn: Callable[..., Any], args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> None:
        check_callable("TryCall", fn)
        assign(self, _TRY_CALL, (fn, tuple(args), dict(kwargs or {})))

    def __hash__(self) -> int:
        return hash(("TryCall", self.fn, self.args, frozenset(self.kwargs.items())))


_TRY_CALL = setters(TryCall)


class Fork(Effect):
    """Start `saga` beside this one; answers its task at once, after the child has run to its first wait.

    Args:
        saga: A generator, or a callable that returns one.
        attached: If True this saga ends after the child, cancels it when cancelled and fails when it fails.
    """

    __slots__ = ("attached", "saga")
    __match_args__ = ("saga", "attached")
    saga: SagaSource
    attached: bool

    def __init__(self, saga: SagaSource, attached: bool = False) -> None:
        _fork_attached(self, attached)
        _fork_saga(self, saga)


_fork_saga, _fork_attached = setters(Fork)


class Join(Effect):
    """Wait for `task`; answers its result, raises its error, or CancelledError if it was cancelled."""

    __slots__ = ("task",)
    __match_args__ = ("task",)
    task: SagaTask

    def __init__(self, task: SagaTask) -> None:
        _JOIN(self, task)


class Cancel(Effect):
    """Cancel `task` and everything attached to it; answers None without waiting for its cleanup."""

    __slots__ = ("task",)
    __match_args__ = ("task",)
    task: SagaTask

    def __init__(self, task: SagaTask) -> None:
        _CANCEL(self, task)


class Select(Effect):
    """Answers the state, or ``selector(state)``."""

    __slots__ = ("selector",)
    __match_args__ = ("selector",)
    selector: Callable[[Any], Any] | None

    def __init__(self, selector: Callable[[Any], Any] | None = None) -> None:
        _SELECT(self, selector)


class Take(Effect):
    """Wait for the next action of a type, or the next value of a channel; answers it.

    Only what is dispatched after the Take counts (a channel keeps what came before). A saga that does nothing but
    take in a loop, or puts and forks in between, misses none.

    Args:
        source: An action type or a Channel.
        timeout: Seconds after which TimeoutError is raised in the saga; None waits for ever.
    """

    __slots__ = ("source", "timeout")
    __match_args__ = ("source", "timeout")
    source: str | Channel
    timeout: float | None

    def __init__(self, source: str | Channel, timeout: float | None = None) -> None:
        if timeout is not None:
            check_seconds("Take timeout", timeout)
        assign(self, _TAKE, (source, timeout))


_TAKE = setters(Take)


class Delay(Effect):
    """Wait for `seconds`; answers None."""

    __slots__ = ("seconds",)
    __match_args__ = ("seconds",)
    seconds: float

    def __init__(self, seconds: float) -> None:
        _DELAY(self, check_seconds("Delay", seconds))


class All(Effect):
    """Run `sagas` together; answers the tuple of their results, in their order.

    The first error cancels the others and is raised here.
    """

    __slots__ = ("sagas",)
    __match_args__ = ("sagas",)
    sagas: tuple[SagaSource, ...]

    def __init__(self, sagas: Iterable[SagaSource]) -> None:
        _ALL(self, each_saga("All", sagas))


class Race(Effect):
    """Run `sagas` together; answers the result of the first to end and cancels the others.

    If the first to end fails, its error is raised here.
    """

    __slots__ = ("sagas",)
    __match_args__ = ("sagas",)
    sagas: tuple[SagaSource, ...]

    def __init__(self, sagas: Iterable[SagaSource]) -> None:
        _RACE(self, each_saga("Race", sagas))
        if not self.sagas:
            raise StateError("A Race of no sagas would wait for ever.", hint="Give it at least one saga.")


class Retry(Effect):
    """Call ``fn(*args, **kwargs)`` again after an Exception; the last error is raised.

    Args:
        max_attempts: How many calls there are at most.
        backoff: "exponential" doubles the delay each time, "linear" adds `base_delay`, "fixed" keeps it.
        base_delay: Seconds before the second attempt.
        max_delay: The most seconds between two attempts.
    """

    __slots__ = ("args", "backoff", "base_delay", "fn", "kwargs", "max_attempts", "max_delay")
    __match_args__ = ("fn", "args", "kwargs", "max_attempts", "backoff", "base_delay", "max_delay")
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    max_attempts: int
    backoff: str
    base_delay: float
    max_delay: float

    def __init__(
        self,
        fn: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        max_attempts: int = 3,
        backoff: str = "exponential",
        base_delay: float = 1.0,
        max_delay: float = 30.0,
    ) -> None:
        check_callable("Retry", fn)
        if backoff not in _BACKOFFS:
            raise StateError(f"Retry backoff must be one of {', '.join(_BACKOFFS)}, got {backoff!r}.")
        if not isinstance(max_attempts, int) or max_attempts < 1:
            raise StateError(
                f"Retry max_attempts must be a whole number of at least 1, got {max_attempts!r}."
            )
        check_seconds("Retry base_delay", base_delay)
        check_seconds("Retry max_delay", max_delay)
        values = (
            fn,
            tuple(args),
            dict(kwargs or {}),
            max_attempts,
            backoff,
            base_delay,
            max_delay,
        )
        assign(self, _RETRY, values)

    def delay_s(self, attempt: int) -> float:
        """Seconds to wait after the failed attempt number `attempt` (from 1)."""
        if self.backoff == "fixed":
            return min(self.base_delay, self.max_delay)
        factor = attempt if self.backoff == "linear" else 2 ** min(attempt - 1, 1000)
        return min(self.base_delay * factor, self.max_delay)

    def __hash__(self) -> int:
        return hash(
            ("Retry", self.fn, self.args, frozenset(self.kwargs.items()), self.max_attempts, self.backoff)
        )


_RETRY = setters(Retry)


class Timeout(Effect):
    """Do `effect`, but raise TimeoutError in the saga when it takes longer than `seconds`."""

    __slots__ = ("effect", "seconds")
    __match_args__ = ("effect", "seconds")
    effect: Effect
    seconds: float

    def __init__(self, effect: Effect, seconds: float) -> None:
        assign(self, _TIMEOUT, (effect, check_seconds("Timeout", seconds)))


_TIMEOUT = setters(Timeout)


class _Watch(Effect):
    """What TakeEvery and TakeLatest share: start ``saga(action)`` for actions of a type."""

    __slots__ = ("action_type", "saga")
    __match_args__ = ("action_type", "saga")
    action_type: str
    saga: Callable[[Action], Saga]

    def __init__(self, action_type: str, saga: Callable[[Action], Saga]) -> None:
        check_callable(type(self).__name__, saga)
        assign(self, _WATCH, (action_type, saga))


_WATCH = setters(_Watch)


class TakeEvery(_Watch):
    """Start ``saga(action)`` for every action of a type from now on; answers the watcher's task, which is detached."""

    __slots__ = ()


class TakeLatest(_Watch):
    """Like TakeEvery, but a new action cancels the saga that the one before it started."""

    __slots__ = ()


class Debounce(Effect):
    """Start `saga` once this saga has yielded no other Debounce for `seconds`; answers the task that waits."""

    __slots__ = ("saga", "seconds")
    __match_args__ = ("seconds", "saga")
    seconds: float
    saga: SagaSource

    def __init__(self, seconds: float, saga: SagaSource) -> None:
        assign(self, _DEBOUNCE, (check_seconds("Debounce", seconds), saga))


_DEBOUNCE = setters(Debounce)


(_JOIN,) = setters(Join)
(_CANCEL,) = setters(Cancel)
(_SELECT,) = setters(Select)
(_DELAY,) = setters(Delay)
(_ALL,) = setters(All)
(_RACE,) = setters(Race)
