"""The search for a Python that `make` sets itself up with, on machines that are not in order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FIND_PYTHON = Path(__file__).resolve().parents[2] / "tools" / "find_python.sh"
GOOD = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
STUB = '#!/bin/sh\necho "version manager: python not installed" >&2\nexit 127\n'


def put(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, "utf-8")
    path.chmod(0o755)
    return path


def find(folder: Path, *on_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"HOME": str(folder / "home"), "PATH": ":".join(map(str, on_path)) or "/nowhere", **environment}
    command = ["/bin/sh", str(FIND_PYTHON)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_passes_over_a_stub_that_fails(tmp_path: Path) -> None:
    """A python3.13 that exists and fails does not hide a working python3 further on."""
    put(tmp_path / "shims" / "python3.13", STUB)
    put(tmp_path / "shims" / "python3", STUB)
    good = put(tmp_path / "bin" / "python3", GOOD)
    assert find(tmp_path, tmp_path / "shims", tmp_path / "bin").stdout.strip() == str(good)


def test_looks_into_a_version_manager_whose_stubs_all_fail(tmp_path: Path) -> None:
    """Where PATH has only stubs, what the version manager has installed is found."""
    put(tmp_path / "shims" / "python3", STUB)
    put(tmp_path / "home" / ".pyenv" / "versions" / "2.7" / "bin" / "python", STUB)
    good = put(tmp_path / "home" / ".pyenv" / "versions" / "3.99" / "bin" / "python", GOOD)
    assert find(tmp_path, tmp_path / "shims").stdout.strip() == str(good)


def test_takes_the_python_that_is_named(tmp_path: Path) -> None:
    """PYTHON=... goes before the search."""
    put(tmp_path / "bin" / "python3", GOOD)
    named = put(tmp_path / "a folder" / "mine", GOOD)
    assert find(tmp_path, tmp_path / "bin", PYTHON=str(named)).stdout.strip() == str(named)


def test_refuses_a_named_python_that_does_not_work(tmp_path: Path) -> None:
    """A PYTHON that does not work is an error, not a reason to take another."""
    put(tmp_path / "bin" / "python3", GOOD)
    stub = put(tmp_path / "stub", STUB)
    done = find(tmp_path, tmp_path / "bin", PYTHON=str(stub))
    assert done.returncode == 1
    assert not done.stdout
    assert f"PYTHON={stub} cannot be used" in done.stderr


def test_says_what_to_do_when_there_is_none(tmp_path: Path) -> None:
    """No Python at all gives the next step."""
    done = find(tmp_path)
    assert done.returncode == 1
    assert "No Python >= 3.11 found" in done.stderr
    assert "make PYTHON=" in done.stderr
