"""The log of a GitHub Actions job: groups, annotations, a summary, and nothing in it that a phase could command."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milo.action import Action
from milo.pipeline import (
    PHASE_CANCELLED,
    PHASE_COMPLETE,
    PHASE_FAILED,
    PHASE_LOG,
    PHASE_RETRY,
    PHASE_SKIPPED,
    PHASE_START,
    PIPELINE_STOPPING,
    Phase,
    PhaseLog,
    PhaseStatus,
    Pipeline,
    PipelineState,
)
from milo.views import github
from milo.views.github import GithubOutput, GithubView, inert, summary_of


@pytest.fixture
def out(tape: io.StringIO) -> GithubOutput:
    return GithubOutput(tape)


def build(*names: str) -> Pipeline:
    return Pipeline("build", *(Phase(name, handler=lambda: None, parallel=True) for name in names))


def start(name: str) -> Action:
    return Action(PHASE_START, {"name": name, "attempt": 1, "at": 1.0})


def log(name: str, line: str) -> Action:
    return Action(PHASE_LOG, {"name": name, "line": line, "stream": "stdout", "timestamp": 1.0})


def done(name: str) -> Action:
    return Action(PHASE_COMPLETE, {"name": name, "result": None, "at": 3.0})


def failed(name: str, error: str) -> Action:
    return Action(PHASE_FAILED, {"name": name, "error": error, "at": 3.0})


def commands(text: str) -> list[str]:
    """The lines that a runner takes for commands."""
    return [line for line in text.splitlines() if line.strip().startswith("::") or "##[" in line]


def test_phases_beside_each_other_have_a_group_each_when_they_end(
    out: GithubOutput, tape: io.StringIO, feed: Callable[..., Any]
) -> None:
    actions = [
        start("a"),
        start("b"),
        log("a", "a 1"),
        log("b", "b 1"),
        log("a", "a 2"),
        done("b"),
        done("a"),
    ]
    feed(GithubView(out), build("a", "b"), actions)
    assert tape.getvalue() == (
        "build: 2 phases\nstart  a\nstart  b\n"
        "::group::done   b (2.0 s)\nb 1\n::endgroup::\n"
        "::group::done   a (2.0 s)\na 1\na 2\n::endgroup::\n"
    )


def test_a_phase_without_output_needs_no_group(
    out: GithubOutput, tape: io.StringIO, feed: Callable[..., Any]
) -> None:
    feed(GithubView(out), build("a", "b"), [start("a"), done("a"), Action(PHASE_CANCELLED, {"name": "b"})])
    assert tape.getvalue().splitlines()[2:] == ["done   a (2.0 s)", "cancel b"]


def test_a_failure_is_an_annotation_with_what_would_end_it_escaped(
    out: GithubOutput, tape: io.StringIO, feed: Callable[..., Any]
) -> None:
    feed(
        GithubView(out),
        build("a:b, c%"),
        [start("a:b, c%"), failed("a:b, c%", "50%: x\r\n\x1b[31mred\x1b[0m")],
    )
    assert tape.getvalue().splitlines()[3] == ("::error title=a%3Ab%2C c%25 failed::50%25: x%0D%0Ared")


def test_a_skipped_phase_is_a_warning_and_an_error_without_words_says_so(
    out: GithubOutput, tape: io.StringIO, feed: Callable[..., Any]
) -> None:
    skipped = Action(PHASE_SKIPPED, {"name": "a", "error": "no", "at": 3.0})
    feed(GithubView(out), build("a", "b"), [start("a"), skipped, start("b"), failed("b", "")])
    assert "::warning title=a was skipped::no\n" in tape.getvalue()
    assert "::error title=b failed::(it gave no message)\n" in tape.getvalue()


def test_a_long_error_is_cut(out: GithubOutput, tape: io.StringIO, feed: Callable[..., Any]) -> None:
    feed(GithubView(out), build("a"), [start("a"), failed("a", "x" * 100_000)])
    assert len(tape.getvalue()) < 5000


@pytest.mark.parametrize(
    "line",
    [
        "::error::x",
        "  \t::stop-commands::x",
        "\x1b[31m::add-mask::x",
        "\u3000::set-output name=a::b",
        "text ##[error] more ##[endgroup]",
    ],
)
def test_nothing_that_a_phase_says_is_a_command(
    out: GithubOutput, tape: io.StringIO, feed: Callable[..., Any], line: str
) -> None:
    retry = Action(
        PHASE_RETRY, {"name": "a", "attempt": 1, "error": line, "max_retries": 2, "delay": 1.0, "at": 2.0}
    )
    stopping = Action(PIPELINE_STOPPING, {"at": 2.0, "grace": 5.0})
    view = GithubView(out, color=True)
    feed(view, build("a", "b"), [start("a"), log("a", line), retry, stopping, done("a"), log("b", line)])
    out.write(f"  {line}\n{line}")
    assert commands(tape.getvalue()) == [
        "::group::done   a (2.0 s)",
        "::endgroup::",
        "::group::b has not ended",
        "::endgroup::",
    ]


@pytest.mark.parametrize("name", ["::error::x", "##[group]x", "::group::x"])
def test_the_name_of_a_phase_is_no_command(
    out: GithubOutput, tape: io.StringIO, feed: Callable[..., Any], name: str
) -> None:
    actions = [
        start(name),
        log(name, "x"),
        failed(name, "no"),
        Action(PIPELINE_STOPPING, {"at": 2.0, "grace": 5.0}),
    ]
    feed(GithubView(out), Pipeline(name, Phase(name, handler=lambda: None)), actions)
    kinds = [line.partition(" ")[0].partition("FAILED")[0] for line in commands(tape.getvalue())]
    assert [kind.removesuffix("::") for kind in kinds] == ["::group", "::endgroup", "::error"]


def test_ordinary_text_stays_as_it_is() -> None:
    text = "std::vector<int> a;\n# [x] ##\nC::D\n"
    assert inert(text) is text or inert(text) == text


def test_only_the_last_of_much_output_is_kept(
    out: GithubOutput, tape: io.StringIO, feed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github, "MOST_KEPT", 100)
    lines = [log("a", f"line {number:04d}") for number in range(500)]
    feed(GithubView(out), build("a"), [start("a"), *lines, log("a", "y" * 1000), done("a")])
    assert tape.getvalue().splitlines()[3:-1] == ["… 500 lines before this left out", "y" * 98 + "…"]


def test_the_summary_of_the_job_is_added_to_its_file(
    out: GithubOutput, tmp_path: Path, feed: Callable[..., Any]
) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n", "utf-8")
    feed(GithubView(out, summary=file), build("a", "b"), [start("a"), failed("a", "no")])
    text = file.read_text("utf-8")
    assert text.startswith("before\n### build failed in")
    assert "| ❌ | a | failed | 2.0 s | 1 |" in text
    assert "| ➖ | b | not started |  |  |" in text
    assert "<pre>no</pre>" in text


def test_a_summary_that_cannot_be_written_hurts_nobody(
    out: GithubOutput, tmp_path: Path, feed: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    feed(GithubView(out, summary=tmp_path), build("a"), [start("a"), done("a")])
    assert "The summary of the job cannot be written" in caplog.text


def test_what_comes_from_a_phase_is_text_in_the_summary() -> None:
    evil = "|<script>[x](http://y) @you `z` *b*\n# h"
    phase = PhaseStatus(evil, "failed", error="</pre><b>", logs=[PhaseLog("</details> & more")])
    text = summary_of(PipelineState(evil, [phase], status="failed"))
    for mark in ("<script", "](", "@you", "`", "*b", "</pre><b>", "</details> &"):
        assert mark not in text
    assert len([line for line in text.splitlines() if line.startswith("#")]) == 1
    row = next(line for line in text.splitlines() if line.startswith("| ❌"))
    assert row.count("|") == 6


def test_thousands_of_phases_are_told_with_what_matters_first() -> None:
    phases = [PhaseStatus(f"p{number}", "completed") for number in range(3000)] + [
        PhaseStatus("bad", "failed")
    ]
    text = summary_of(PipelineState("build", phases, status="failed"))
    assert text.index("| bad |") < text.index("| p0 |")
    assert "and 2501 more phases" in text
