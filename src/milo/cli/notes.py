"""Notes: what is to be told on stderr without writing into a view that is being drawn."""

from __future__ import annotations

import threading
from collections.abc import Callable

import click

__all__ = ["Notes"]


class Notes:
    """Says things on stderr, at once or after the run. For any thread.

    Args:
        mask: Applied to what is said.
    """

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._lock = threading.Lock()
        self._held: list[str] | None = None

    def say(self, message: str) -> None:
        """Tell a person something."""
        with self._lock:
            if self._held is not None:
                self._held.append(message)
                return
        self._write(message)

    def hold(self) -> None:
        """Keep what is said from here on."""
        with self._lock:
            self._held = []

    def release(self) -> None:
        """Say what was kept, and the rest at once again."""
        with self._lock:
            held, self._held = self._held or [], None
        for message in held:
            self._write(message)

    def _write(self, message: str) -> None:
        try:
            click.echo(f"milo: warning: {self._mask(message)}", err=True)
        except OSError:
            # Nobody reads stderr any more.
            return
