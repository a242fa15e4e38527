"""Words: numbers as a person says them, for every text that milo writes."""

from __future__ import annotations

__all__ = ["count", "duration"]


def duration(seconds: float) -> str:
    """Say a length of time: ``0.34 s``, ``12 s``, ``2 min 05 s``, ``1 h 02 min``."""
    seconds = max(0.0, seconds)
    if seconds < 9.995:
        return f"{seconds:.2f} s" if seconds < 0.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(number: int, thing: str) -> str:
    """Put a number before a noun: ``1 phase``, ``3 phases``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
