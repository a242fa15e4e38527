"""Running `milo` as people do: in a process of its own, with or without a terminal."""

import errno
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.recorded import Recorded
from tests.execution.conftest import dask_cluster as dask_cluster

SOURCE = Path(__file__).resolve().parents[2] / "src"
_PATIENCE_S = 30.0


def environment(**changes: str | None) -> dict[str, str]:
    """The present environment without what would decide the mode, and milo's source on the path."""
    decide = {"CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS", "LINES"}
    env = {
        key: value for key, value in os.environ.items() if key not in decide and not key.startswith("MILO_")
    }
    env |= {"TERM": "xterm", "PYTHONPATH": str(SOURCE)}
    for key, value in changes.items():
        if value is None:
            env.pop(key, None)
        else:
            env[key] = value
    return env


class Cli:
    """Runs milo in a folder.

    Attributes:
        folder: The working directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[Any]] = []

    def write(self, text: str, name: str = "pipeline.py") -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "milo", *arguments],
            cwd=self.folder,
            env=environment(**env),
            capture_output=True,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
        )

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[Any]:
        """Start milo without waiting; it is ended with the test whatever happens."""
        return self.python("-m", "milo", *arguments, env=env, **options)

    def python(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[Any]:
        """Start Python without waiting; it is ended with the test whatever happens."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment(**(env or {})),
            **options,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            process.kill()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
            process.wait()


class Terminal:
    """milo on a pseudo-terminal of its own, and all that it has written there."""

    def __init__(self, cli: Cli, *arguments: str, **env: str) -> None:
        self.text = ""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cli.folder)
            os.execve(sys.executable, [sys.executable, "-m", "milo", *arguments], environment(**env))

    def until(self, text: str) -> None:
        """Read until `text` was written."""
        deadline = time.monotonic() + _PATIENCE_S
        while text not in self.text:
            assert self._read(deadline), f"ended without {text!r}: {self.text}"

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def wait(self) -> int:
        """Read to the end; the exit status."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._fd >= 0 and self._read(deadline):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def settings(self) -> list[Any]:
        """How the terminal treats what is typed and written."""
        return termios.tcgetattr(self._fd)

    def hang_up(self) -> None:
        """Close the terminal, as when its window is closed."""
        os.close(self._fd)
        self._fd = -1

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        if self._fd >= 0:
            os.close(self._fd)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing was written for {_PATIENCE_S} s: {self.text}"
        try:
            data = os.read(self._fd, 65536)
        except OSError as error:
            if error.errno == errno.EIO:
                return False
            raise
        self.text += data.decode("utf-8", "replace")
        return bool(data)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    cli = Cli(tmp_path)
    yield cli
    cli.close()


@pytest.fixture
def terminal(cli: Cli) -> Iterator[Any]:
    """Start milo on a terminal; it is ended with the test whatever happens."""
    started: list[Terminal] = []

    def start(*arguments: str, **env: str) -> Terminal:
        started.append(Terminal(cli, *arguments, **env))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def recorded(cli: Cli) -> Recorded:
    return Recorded(cli)
