"""`milo explain` as a process of its own."""

import json

from milo.journal import history
from tests.cli.recorded import Recorded


def explained(recorded: Recorded, *arguments: str) -> list[tuple[str, bool, str]]:
    done = recorded.cli.run("explain", "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return [(each["phase"], each["runs"], each["reason"]) for each in json.loads(done.stdout)["phases"]]


def test_each_phase_is_told_with_whether_it_would_run_and_why(recorded: Recorded) -> None:
    recorded.fail("b")
    recorded.forget()
    done = recorded.cli.run("explain")
    [run] = history(recorded.journal)
    assert done.stdout.splitlines() == [
        f"Resuming {run.row.name}, which failed, would keep 1 of 3 phases:",
        "keep  a  it is done",
        "run   b  it failed",
        "run   c  it was not started",
    ]
    assert recorded.ran() == ""


def test_what_is_told_is_what_resuming_does(recorded: Recorded) -> None:
    recorded.kill_in("c")
    recorded.change("return [*a, 2]", "return [*a, 3]")
    told = explained(recorded)
    assert told == [
        ("a", False, "it is done"),
        ("b", True, "its handler changed"),
        ("c", True, "it was running"),
    ]
    recorded.forget()
    assert recorded.run("--resume").returncode == 0
    assert recorded.ran() == "".join(phase for phase, runs, _ in told if runs)


def test_parameters_and_selection_are_those_of_the_run(recorded: Recorded) -> None:
    recorded.fail("b", "pipeline.py", "b", "-p", "tone=high")
    (recorded.folder / "tone").unlink()
    assert [phase for phase, _, _ in explained(recorded)] == ["a", "b"]
    assert (recorded.folder / "tone").read_text() == "high"
    explained(recorded, "pipeline.py", "-p", "tone=low")
    assert (recorded.folder / "tone").read_text() == "low"


def test_without_an_unfinished_run_it_says_what_a_new_one_would_do(recorded: Recorded) -> None:
    first = recorded.cli.run("explain").stdout
    recorded.run()
    second = recorded.cli.run("explain").stdout
    assert first.startswith("A new run would run 3 phases: there is no journal ")
    assert "has completed" in second
    assert second.splitlines()[1] == "run   a  nothing is kept for a new run"
    assert "turned off" in recorded.cli.run("explain", MILO_JOURNAL="off").stdout
    other = recorded.folder / "other.py"
    other.write_text((recorded.folder / "pipeline.py").read_text())
    assert "holds no run of" in recorded.cli.run("explain", "other.py").stdout
    (recorded.cli.folder / "empty.db").touch()
    assert "empty.db holds no run of" in recorded.cli.run("explain", "--journal", "empty.db").stdout


def test_a_run_can_be_named(recorded: Recorded) -> None:
    recorded.fail("a")
    recorded.fail("c")
    older = history(recorded.journal)[1].row.name
    assert [runs for _, runs, _ in explained(recorded)] == [False, False, True]
    assert [runs for _, runs, _ in explained(recorded, "--run", older)] == [True, True, True]
    wrong = recorded.cli.run("explain", "--run", "zzz")
    assert (wrong.returncode, "has no run 'zzz'" in wrong.stderr) == (2, True)


def test_a_run_that_is_being_run_could_not_be_resumed_just_now(recorded: Recorded) -> None:
    process = recorded.start_and_hold("b")
    text = recorded.cli.run("explain").stdout
    assert f"Just now it cannot be resumed: process {process.pid} is at work on it." in text
    recorded.let_go("b")
    assert process.wait(30) == 0


def test_what_the_file_prints_stays_out_of_the_json(recorded: Recorded) -> None:
    recorded.change("import os\n", "import os\nprint('loading')\n")
    done = recorded.cli.run("explain", "--json")
    assert json.loads(done.stdout)["run"] is None
    assert done.stderr == "loading\n"
