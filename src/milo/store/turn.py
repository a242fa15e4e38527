"""The turn: applies what any thread dispatches, one thing after the other, without making threads queue for a lock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from milo.action import Action

__all__ = ["Turn"]

_INBOX_CAP = 2048
_SLOW_DOWN_S = 0.05


class _Ticket:
    """An action whose dispatcher waits for somebody else to apply it."""

    __slots__ = ("action", "applied", "error")

    def __init__(self, action: Action) -> None:
        self.action = action
        self.error: BaseException | None = None
        self.applied = threading.Lock()
        self.applied.acquire()


class Turn:
    """Serialises the application of actions.

    Whoever dispatches takes the turn if it is free and then applies everything that waits. Who finds it taken leaves
    the action in the inbox, which the holder empties; a blocking lock a dispatch would make a convoy of threads.
    An action that is applied may dispatch others on the same thread: they are applied after it, before the outer
    dispatch returns.

    Args:
        apply: Applies one action; what it raises goes to the dispatcher.
        failed: Told of an error in an action that nobody waits for.
    """

    def __init__(
        self, apply: Callable[[Action], None], failed: Callable[[Action, BaseException], None]
    ) -> None:
        self._apply = apply
        self._failed = failed
        self._lock = threading.Lock()
        self._inbox: deque[Action | _Ticket] = deque()
        self._nested: deque[Action] = deque()
        self._holder = 0

    def mine(self) -> bool:
        """Whether the calling thread is applying an action just now."""
        return self._holder == threading.get_ident()

    def do(self, action: Action) -> None:
        """Apply `action`, behind everything that came before it, and return when that is done."""
        if self._lock.acquire(False):
            self._holder = threading.get_ident()
            try:
                if self._inbox:
                    self._empty()
                try:
                    self._apply(action)
                except BaseException as error:  # noqa: BLE001 - raised again when what it dispatched is applied
                    self._apply_nested(error)
                if self._nested:
                    self._apply_nested(None)
            finally:
                self._holder = 0
                self._lock.release()
                # After an error too: who left something meanwhile found the turn taken and waits for it.
                if self._inbox:
                    self._help()
        elif self._holder == threading.get_ident():
            self._nested.append(action)
        else:
            ticket = _Ticket(action)
            self._inbox.append(ticket)
            self._help()
            ticket.applied.acquire()
            if ticket.error is not None:
                raise ticket.error

    def post(self, action: Action) -> None:
        """Apply `action` soon, in order, on whatever thread; waits only while very many are ahead of it."""
        if self._holder == threading.get_ident():
            self._nested.append(action)
            return
        if len(self._inbox) < _INBOX_CAP:
            self._inbox.append(action)
            self._help()
            return
        ticket = _Ticket(action)
        self._inbox.append(ticket)
        self._help()
        # Slows down who posts faster than anybody applies. Bounded: the poster may hold a lock of its own (logging's,
        # say) that a listener needs before the turn can go on.
        if ticket.applied.acquire(timeout=_SLOW_DOWN_S) and ticket.error is not None:
            self._failed(action, ticket.error)

    def _help(self) -> None:
        """Empty the inbox, unless somebody is at it who will look again after letting go."""
        interrupt: BaseException | None = None
        while self._inbox and self._lock.acquire(False):
            self._holder = threading.get_ident()
            try:
                self._empty()
            except BaseException as raised:  # noqa: BLE001 - raised again when nobody waits any more
                interrupt = raised
            finally:
                self._holder = 0
                self._lock.release()
        if interrupt is not None:
            raise interrupt

    def _empty(self) -> None:
        inbox = self._inbox
        interrupt: KeyboardInterrupt | None = None
        while inbox:
            item = inbox.popleft()
            if item.__class__ is _Ticket:
                self._serve(item)
                continue
            try:
                self._apply_with_nested(item)  # type: ignore[arg-type]
            except BaseException as error:  # noqa: BLE001 - nobody waits for a posted action, so it is reported
                self._failed(item, error)  # type: ignore[arg-type]
                if isinstance(error, KeyboardInterrupt):
                    interrupt = error
        if interrupt is not None:
            raise interrupt

    def _serve(self, ticket: _Ticket) -> None:
        try:
            self._apply_with_nested(ticket.action)
        except BaseException as error:  # noqa: BLE001 - raised again where the action was dispatched
            ticket.error = error
        finally:
            ticket.applied.release()

    def _apply_with_nested(self, action: Action) -> None:
        try:
            self._apply(action)
        except BaseException as raised:  # noqa: BLE001 - raised again when what was dispatched meanwhile is applied
            self._apply_nested(raised)
        else:
            self._apply_nested(None)

    def _apply_nested(self, error: BaseException | None) -> None:
        """Apply what was dispatched in the middle of an action, and then raise the error of that action, if any."""
        nested = self._nested
        while nested:
            inner = nested.popleft()
            try:
                self._apply(inner)
            except BaseException as raised:  # noqa: BLE001 - its dispatcher has gone on already
                self._failed(inner, raised)
                if error is None and not isinstance(raised, Exception):
                    error = raised
        if error is not None:
            raise error
