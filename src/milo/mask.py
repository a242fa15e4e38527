"""Mask: replaces the values of secret environment variables in text, before anybody sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Final

from milo.action import Action
from milo.errors import StateError
from milo.text import safe_line

__all__ = ["NO_MASK", "Mask", "current_mask", "mask_of"]

_SHOWN = "***"
_SHORTEST_PART = 4
_TEXTS = ("line", "error")


class Mask:
    """Replaces secrets in text by ``***``.

    A secret of several lines is looked for line by line, as output comes in lines. Lines of it with fewer than four
    characters are left alone: a brace or an empty line says nothing and would stand everywhere.

    Args:
        secrets: The values; empty ones are passed over.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = frozenset(secrets)
        parts: set[str] = set()
        for secret in self._secrets:
            lines = [line.strip() for line in re.split(r"[\r\n]+", secret)]
            whole = [line for line in lines if line]
            # Text has been made safe before it is looked at: a control character of the secret stands there as shown.
            for part in whole if len(whole) == 1 else [line for line in whole if len(line) >= _SHORTEST_PART]:
                parts |= {part, safe_line(part)}
        # Longest first, so that no secret that holds another is shown in part.
        longest_first = sorted(parts, key=lambda part: (-len(part), part))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return self._pattern is not None

    def __or__(self, other: Mask) -> Mask:
        """A mask of the secrets of both."""
        return self if not other else other if not self else Mask(self._secrets | other._secrets)

    def __call__(self, text: str) -> str:
        """`text` with every secret in it replaced."""
        return text if self._pattern is None else self._pattern.sub(_SHOWN, text)

    def action(self, action: Action) -> Action:
        """`action` with its line of output or its error masked; the same object where nothing has to be."""
        payload = action.payload
        if not isinstance(payload, Mapping):
            return action
        changed: dict[str, Any] = {}
        for key in _TEXTS:
            text = payload.get(key)
            if isinstance(text, str) and (masked := self(text)) != text:
                changed[key] = masked
        return Action(action.type, {**payload, **changed}) if changed else action


NO_MASK: Final = Mask(())

current_mask: ContextVar[Mask] = ContextVar("milo_current_mask", default=NO_MASK)
"""What the run that the running code belongs to hides; a run inside it hides that too."""


def mask_of(names: Iterable[str], environ: Mapping[str, str]) -> Mask:
    """Make the Mask of some environment variables, as they are now.

    Args:
        names: The variables; one that is not set, or empty, holds nothing to hide.
        environ: The environment.

    Raises:
        StateError: A name is none.
    """
    if isinstance(names, str):
        raise StateError(
            f"mask must be a tuple of names of environment variables, got the string {names!r}.",
            hint=f'Write mask=("{names}",).',
        )
    names = tuple(names)
    for name in names:
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise StateError(
                f"mask must hold names of environment variables, got {name!r}.", hint='Write mask=("TOKEN",).'
            )
    return Mask(environ[name] for name in names if environ.get(name))
