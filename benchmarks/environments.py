"""The environments of the peers: each has its own, made on first use, so that none decides what another gets."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

__all__ = ["MissingError", "python_for"]

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / ".venv-bench"


class MissingError(Exception):
    """A peer cannot be installed here; the text says why."""


def python_for(side: str) -> Path:
    """The interpreter to run a side with: this one, or that of an environment in which its package is installed.

    Raises:
        MissingError: The package cannot be installed.
    """
    packages = _required(side)
    if not packages:
        return Path(sys.executable)
    key = hashlib.blake2b(" ".join([sys.version, *packages]).encode(), digest_size=4).hexdigest()
    folder = FOLDER / f"{side}-{key}"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not (folder / "complete").exists():
        print(f"installing {', '.join(packages)} for {side} ...", file=sys.stderr, flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])
        (folder / "complete").touch()
    return python


def _required(side: str) -> list[str]:
    """What the side's file says in REQUIRES, without importing it: its package may not be here."""
    found = re.search(
        r"^REQUIRES = \((.*)\)$", (HERE / "sides" / f"{side}.py").read_text("utf-8"), re.MULTILINE
    )
    return re.findall(r'"([^"]+)"', found[1]) if found else []


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise MissingError(lines[-1] if lines else f"{command[0]} ended with status {done.returncode}")
