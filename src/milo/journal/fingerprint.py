"""The fingerprint of a phase: by what its recorded result is known to be still the result of what is declared today."""

from __future__ import annotations

from dataclasses import MISSING, fields
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from milo.journal.code_digest import Digester
from milo.journal.codec import encode
from milo.journal.errors import CodecError
from milo.pipeline import Phase, PhasePolicy

__all__ = ["Fingerprint", "Fingerprinter", "change"]


class Fingerprint(NamedTuple):
    """What a phase is recognised by beside its name and dependencies, in parts, so that it can be said what changed.

    Attributes:
        version: What the user gave as its version.
        policy: A digest of what its policy has beside the defaults; "" when nothing.
        code: A digest of its handler.
        certain: Whether everything that belongs to the handler could be told.
    """

    version: str
    policy: str
    code: str
    certain: bool


class Fingerprinter:
    """Makes fingerprints; phases that have everything in common share one."""

    def __init__(self) -> None:
        self._digester = Digester()
        # With the objects themselves, so that no other comes to have their id.
        self._known: dict[tuple[int, int, str], tuple[Phase, Fingerprint]] = {}
        self._policies: dict[int, tuple[PhasePolicy, str]] = {}

    def fingerprint(self, phase: Phase) -> Fingerprint:
        """The fingerprint of a phase as it is declared."""
        key = (id(phase.handler), id(phase.policy), phase.version)
        known = self._known.get(key)
        if known is None:
            code, certain = self._digester.digest(phase.handler)
            known = self._known[key] = (
                phase,
                Fingerprint(phase.version, self._policy(phase.policy), code, certain),
            )
        return known[1]

    def _policy(self, policy: PhasePolicy) -> str:
        known = self._policies.get(id(policy))
        if known is None:
            known = self._policies[id(policy)] = policy, _policy_digest(policy)
        return known[1]


def _policy_digest(policy: PhasePolicy) -> str:
    # Only what differs from the defaults: a newer milo may know more fields.
    beside = [
        (field.name, _plain(getattr(policy, field.name)))
        for field in fields(policy)
        if field.default is MISSING or getattr(policy, field.name) != field.default
    ]
    return blake2b(encode(beside), digest_size=8).hexdigest() if beside else ""


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    try:
        encode(value)
    except CodecError:
        return f"{type(value).__module__}.{type(value).__qualname__}"
    return value


_UNCHANGED: Final = ""


def change(then: Fingerprint, now: Fingerprint, *, same_python: bool = True, reuse: bool = False) -> str:
    """What changed of a phase beside its dependencies, in a few words; "" when nothing did.

    Args:
        then: As recorded.
        now: As declared today.
        same_python: Whether both were made under the same Python; otherwise code cannot be compared.
        reuse: Whether what cannot be told counts as changed, as for reusing a result in another run; otherwise it
            counts as unchanged, as for resuming.
    """
    if then.version != now.version:
        return f"its version changed from {then.version!r} to {now.version!r}"
    if then.policy != now.policy:
        return "its policy changed"
    if same_python and then.code != now.code:
        return "its handler changed"
    if reuse and not same_python:
        return "it was recorded under another Python"
    if reuse and not (then.certain and now.certain):
        return "it cannot be told whether its handler changed"
    return _UNCHANGED
