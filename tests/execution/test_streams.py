"""Descriptors 0 to 2 of a worker process after an attempt that has changed them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
from itertools import product

import pytest

from milo import Phase
from milo.execution.streams import pass_through
from tests.execution import elsewhere
from tests.execution.runs import SKIP, lines, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="worker processes need POSIX")


# A Dask worker may open a connection meanwhile, which then has the number of a descriptor that was closed.
@pytest.mark.parametrize(
    ("how", "executor"),
    [
        ("descriptor", "processes"),
        *product(("stream", "detached", "wrapped", "redirected", "gone"), ("processes", "dask")),
    ],
)
def test_what_an_attempt_has_closed_is_open_for_the_next(how: str, executor: str) -> None:
    result = run(
        Phase("where", elsewhere.pid),
        Phase(how, elsewhere.spoils_streams, depends_on=("where",), policy=SKIP),
        Phase("next", elsewhere.uses_streams, depends_on=(how,)),
        executor=executor,
        max_workers=1,
    )
    assert lines(result, "next") == ["printed", "written"]
    assert lines(result, "next", "stderr") == ["wrong"]
    assert result.results["next"] == (result.results["where"], "")


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_what_code_in_c_has_printed_is_of_the_attempt_that_printed_it(
    executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps that in a buffer of its own, and a worker may never come to its end."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    result = run(
        Phase("a", elsewhere.prints_in_c),
        Phase("b", elsewhere.uses_streams, depends_on=("a",)),
        executor=executor,
        max_workers=1,
    )
    assert lines(result, "a") == ["from C"]
    assert lines(result, "b") == ["printed", "written"]


def test_a_line_is_logged_without_a_stream_to_put_it_in_order_with() -> None:
    assert lines(run(Phase("a", elsewhere.logs_without_stdout)), "a") == ["logged"]


def test_text_passes_through_as_far_as_the_stream_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    pass_through("stdout", "a\nä")
    assert written.getvalue() == b"a\n\\xe4"
    monkeypatch.setattr(sys, "stdout", None)
    pass_through("stdout", "nowhere")


def test_a_worker_whose_every_descriptor_was_closed_fails_its_phase_alone() -> None:
    result = run(Phase("a", elsewhere.closes_all, policy=SKIP), Phase("b", elsewhere.pid, depends_on=("a",)))
    assert "before the phase was done" in result.state.phase("a").error
    assert "or closed what was not its own" in result.state.phase("a").error
    assert result.ok


def test_without_its_copies_nothing_can_be_put_right() -> None:
    program = """
        import os, sys
        from milo.execution.streams import Streams
        streams = Streams()
        assert streams.restored()
        os.closerange(0, 2), os.closerange(3, 64)
        os._exit(0 if not streams.restored() else 1)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], check=False, env=dict(os.environ)
    )
    assert ended.returncode == 0
