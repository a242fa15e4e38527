"""Commands: one-off side effects that a reducer asks for, carried out as small sagas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from milo.action import TICK, Action
from milo.errors import StateError
from milo.saga.effects import All, Call, Delay, Put, Saga
from milo.value import Value, assign, setters

__all__ = ["Batch", "Cmd", "Command", "Sequence", "TickCmd", "run_command"]


class Cmd(Value):
    """Call ``fn(*args, **kwargs)`` on a worker and dispatch the Action that it returns, if it returns one."""

    __slots__ = ("args", "fn", "kwargs")
    __match_args__ = ("fn", "args", "kwargs")
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __init__(self, fn: Callable[..., Any], args: Any = (), kwargs: dict[str, Any] | None = None) -> None:
        assign(self, _CMD, (fn, tuple(args), dict(kwargs or {})))

    def __hash__(self) -> int:
        return hash(("Cmd", self.fn, self.args, frozenset(self.kwargs.items())))


class _Several(Value):
    __slots__ = ("cmds",)
    __match_args__ = ("cmds",)
    cmds: tuple[Command, ...]

    def __init__(self, *cmds: Command | Iterable[Command]) -> None:
        flat: list[Command] = []
        for each in cmds:
            flat += [each] if isinstance(each, Value) else each
        _SEVERAL[0](self, tuple(flat))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.cmds!r}"


class Batch(_Several):
    """Carry out commands at the same time: ``Batch(a, b)`` or ``Batch((a, b))``."""

    __slots__ = ()


class Sequence(_Several):
    """Carry out commands one after the other: ``Sequence(a, b)`` or ``Sequence((a, b))``."""

    __slots__ = ()


class TickCmd(Value):
    """Dispatch one ``@@TICK`` after `seconds`; return another TickCmd for it to go on ticking."""

    __slots__ = ("seconds",)
    __match_args__ = ("seconds",)
    seconds: float

    def __init__(self, seconds: float) -> None:
        _TICK[0](self, Delay(seconds).seconds)


Command: TypeAlias = Cmd | Batch | Sequence | TickCmd

_CMD, _SEVERAL, _TICK = setters(Cmd), setters(_Several), setters(TickCmd)


def run_command(command: Command) -> Saga:
    """The saga that carries out a command."""
    match command:
        case Cmd(fn, args, kwargs):
            answer = yield Call(fn, args, kwargs)
            if isinstance(answer, Action):
                yield Put(answer)
        case Batch(cmds):
            yield All([partial(run_command, each) for each in cmds])
        case Sequence(cmds):
            for each in cmds:
                yield from run_command(each)
        case TickCmd(seconds):
            yield Delay(seconds)
            yield Put(Action(TICK))
        case _:
            raise StateError(f"{command!r} is not a command.", hint="Use Cmd, Batch, Sequence or TickCmd.")
