"""The logger "milo", which reports what went wrong where nobody could be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging

__all__ = ["log"]


class _Log:
    """Loads logging when there is something to report: a program that starts does not wait for it."""

    def __getattr__(self, name: str) -> Any:
        import logging

        return getattr(logging.getLogger("milo"), name)


log: logging.Logger = _Log()  # type: ignore[assignment]  # it answers to every method of one
