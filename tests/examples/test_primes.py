"""The example of work that computes: on threads, on processes, and through the command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "primes.py"
SIZE = 500


def primes_below(end: int) -> list[int]:
    """Eratosthenes: another way than that of the example."""
    sieve = bytearray([1]) * end
    for number in range(2, int(end**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, end, number)))
    return [number for number in range(2, end) if sieve[number]]


def ran(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")
def test_threads_and_processes_count_the_same_and_the_speed_up_is_printed() -> None:
    done = ran(EXAMPLE, SIZE)
    assert (done.returncode, done.stderr) == (0, "")
    first = 10_000_000
    wanted = sum(number >= first for number in primes_below(first + 8 * SIZE))
    lines = done.stdout.splitlines()
    assert lines[0] == lines[2] == f"{wanted} primes"
    assert lines[1].endswith(" s on threads")
    assert lines[3].endswith(" s on processes")
    assert re.fullmatch(r"\d+\.\d\d times as fast on processes, with \d+ processors", lines[4])


def test_it_runs_under_the_command() -> None:
    done = ran("-m", "milo", "run", "--no-journal", EXAMPLE, "-p", f"size={SIZE}", "-p", "first=0")
    assert done.returncode == 0, done.stderr
    assert f"total | {len(primes_below(8 * SIZE))} primes" in done.stdout
    assert "9 completed" in done.stdout
