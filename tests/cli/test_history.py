"""`milo history` as a process of its own."""

import json

import pytest

from milo.cli.commands.history import table
from milo.journal import RunInfo
from milo.journal.lock import Holder
from milo.journal.run_rows import RunRow
from milo.views.format import Painter
from tests.cli.recorded import Recorded


def test_runs_are_listed_with_what_became_of_them_the_newest_first(recorded: Recorded) -> None:
    recorded.run()
    recorded.fail("b")
    recorded.kill_in("a")
    done = recorded.cli.run("history")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["interrupted", "failed", "completed"]
    assert [line.endswith("3 phases  steps  (resumable)") for line in done.stdout.splitlines()] == [
        True,
        True,
        False,
    ]
    assert len(recorded.cli.run("history", "-n", "1").stdout.splitlines()) == 1


def test_a_run_that_is_being_run_names_its_process(recorded: Recorded) -> None:
    process = recorded.start_and_hold("a")
    [line] = recorded.cli.run("history").stdout.splitlines()
    assert (line.split()[1], f"(process {process.pid})" in line) == ("running", True)
    recorded.let_go("a")
    assert process.wait(30) == 0


def test_json_lists_the_same_for_programs(recorded: Recorded) -> None:
    recorded.fail("c")
    done = recorded.cli.run("history", "--json")
    listed = json.loads(done.stdout)
    assert listed["journal"] == str(recorded.journal)
    [run] = listed["runs"]
    assert (run["status"], run["pipeline"], run["phases"], run["resumable"]) == ("failed", "steps", 3, True)
    assert run["target"] == f"{recorded.folder / 'pipeline.py'}:pipeline"


@pytest.mark.parametrize("command", ["history", "show"])
def test_without_a_journal_it_exits_with_2(recorded: Recorded, command: str) -> None:
    missing, off = recorded.cli.run(command), recorded.cli.run(command, MILO_JOURNAL="off")
    named = recorded.cli.run(command, "--journal", "pipeline.py")
    assert [missing.returncode, off.returncode, named.returncode] == [2, 2, 2]
    assert "There is no journal" in missing.stderr
    assert "The journal is turned off." in off.stderr
    assert "pipeline.py is not a database. Name another file with --journal PATH.\n" in named.stderr


def info(status: str, holder: Holder | None = None, broken: str = "", name: str = "r1") -> RunInfo:
    return RunInfo(RunRow(1, name, "p", "", 0.0), status, 0.0, 1.5, 1, holder, broken)


def test_names_that_nobody_cleaned_cannot_write_to_the_terminal() -> None:
    """A journal may be damaged, or come from somebody else."""
    assert "\x1b" not in table([info("failed", name="\x1b]0;owned\x07r1", broken="\x1b[2J")], Painter(False))


def test_a_time_is_told_only_where_an_end_is_recorded() -> None:
    lines = table(
        [info("completed"), info("interrupted"), info("running", Holder(0, ""))], Painter(False)
    ).splitlines()
    assert ["1.5 s" in line for line in lines] == [True, False, False]
    assert lines[2].endswith("(another process)")


def test_what_cannot_be_resumed_says_why() -> None:
    text = table([info("failed", broken="the disk was full")], Painter(False))
    assert text.endswith("(not resumable: the disk was full)\n")


def test_a_status_has_its_colour_where_colour_is_wanted() -> None:
    assert "\x1b[31mfailed" in table([info("failed")], Painter(True))
    assert table([], Painter(True)) == "no runs\n"
