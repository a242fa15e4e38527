"""`milo show` as a process of its own."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from milo.journal import history
from tests.cli.recorded import Recorded


def test_a_run_is_shown_with_its_phases_its_error_and_the_last_lines(recorded: Recorded) -> None:
    recorded.fail("b", "pipeline.py", "-p", "tone=high")
    done = recorded.cli.run("show")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("steps failed in ")
    assert lines[2] == f"  target   {recorded.folder / 'pipeline.py'}:pipeline -p tone=high"
    assert [line.split()[:2] for line in lines[5:8]] == [
        ["a", "completed"],
        ["b", "failed"],
        ["c", "pending"],
    ]
    assert lines[9:12] == ["b", "  b is broken", "  | b is at work"]
    path = lines[12].partition("all of it: ")[2]
    assert path.endswith("/b.log")
    assert Path(path).read_text() == "b is at work\n"


def test_phases_that_are_named_are_shown_with_their_lines(recorded: Recorded) -> None:
    recorded.run()
    [run] = history(recorded.journal)
    done = recorded.cli.run("show", run.row.name, "a")
    assert "a is at work" in done.stdout
    assert "b is at work" not in done.stdout
    wrong = recorded.cli.run("show", run.row.name, "zzz")
    assert (wrong.returncode, "has no phase 'zzz'" in wrong.stderr) == (2, True)


def test_an_older_run_is_found_by_the_beginning_of_its_name(recorded: Recorded) -> None:
    recorded.fail("a")
    recorded.run()
    older = history(recorded.journal)[1].row.name
    assert recorded.cli.run("show", older[:-2]).stdout.startswith("steps failed in ")
    both, none = recorded.cli.run("show", older[:4]), recorded.cli.run("show", "zzz")
    assert (both.returncode, none.returncode) == (2, 2)
    assert "2 runs" in both.stderr
    assert "has no run 'zzz'" in none.stderr


def test_an_interrupted_run_says_what_was_running(recorded: Recorded) -> None:
    recorded.kill_in("b")
    text = recorded.cli.run("show").stdout
    assert text.startswith("steps interrupted\n")
    assert "  what was kept of it: " in text
    assert "all of it" not in text
    assert [line.split()[1] for line in text.splitlines()[5:8]] == ["completed", "interrupted", "pending"]
    assert json.loads(recorded.cli.run("show", "--json").stdout)["status"] == "interrupted"


def test_a_run_that_is_being_run_is_shown_as_it_is_now(recorded: Recorded) -> None:
    process = recorded.start_and_hold("b")
    text = recorded.cli.run("show").stdout
    first, second = (json.loads(recorded.cli.run("show", "--json").stdout) for _ in range(2))
    assert f"at work  process {process.pid}" in text
    assert (first["status"], first["phases"][1]["status"]) == ("running", "running")
    assert 0 < first["phases"][1]["elapsed"] < second["phases"][1]["elapsed"]
    recorded.let_go("b")
    assert process.wait(30) == 0


def test_names_of_wide_characters_keep_the_columns(cli: Any) -> None:
    cli.write(
        "from milo import Phase, Pipeline\npipeline = Pipeline('p', Phase('漢字', print), Phase('abcd', print))\n"
    )
    cli.run("run")
    rows = cli.run("show").stdout.splitlines()[5:]
    assert [row.partition("completed")[0] for row in rows] == ["漢字  ", "abcd  "]
    lines = cli.run("explain").stdout.splitlines()[1:]
    assert [line.partition("nothing")[0] for line in lines] == ["run   漢字  ", "run   abcd  "]


def test_a_resumed_run_says_so(recorded: Recorded) -> None:
    recorded.fail("c")
    recorded.run("--resume")
    assert ", resumed once\n" in recorded.cli.run("show").stdout


def test_json_is_the_timeline(recorded: Recorded) -> None:
    recorded.fail("b")
    timeline = json.loads(recorded.cli.run("show", "--json").stdout)
    assert list(timeline) == ["pipeline", "status", "elapsed", "progress", "phases"]
    assert (timeline["pipeline"], timeline["status"]) == ("steps", "failed")
    phase = timeline["phases"][1]
    assert list(phase) == ["name", "status", "elapsed", "attempt", "error", "log_count", "started_at"]
    assert (phase["name"], phase["error"], phase["log_count"]) == ("b", "b is broken", 1)


def test_a_run_is_verified_by_replaying_it(recorded: Recorded) -> None:
    recorded.fail("c")
    recorded.run("--resume")
    done = recorded.cli.run("show", "--verify")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("verified: ")


def test_without_an_end_there_is_nothing_to_compare_with_and_that_is_said(recorded: Recorded) -> None:
    recorded.kill_in("b")
    done = recorded.cli.run("show", "--verify")
    assert (done.returncode, "no end recorded to compare with" in done.stdout) == (0, True)


def test_a_run_that_is_not_what_was_written_is_not_verified(recorded: Recorded) -> None:
    recorded.run()
    with sqlite3.connect(recorded.journal) as connection:
        connection.execute(
            "UPDATE records SET data = data || x'00' WHERE place = (SELECT max(place) - 3 FROM records)"
        )
    connection.close()
    done = recorded.cli.run("show", "--verify")
    assert (done.returncode, "not verified: " in done.stdout) == (1, True)
    verdict = json.loads(recorded.cli.run("show", "--verify", "--json").stdout)["verify"]
    assert verdict["ok"] is False
    assert recorded.cli.run("show").returncode == 0


def test_a_lost_log_line_is_noticed(recorded: Recorded) -> None:
    recorded.run()
    with sqlite3.connect(recorded.journal) as connection:
        connection.execute("UPDATE logs SET hash = x'00' WHERE place = (SELECT min(place) FROM logs)")
    connection.close()
    done = recorded.cli.run("show", "--verify")
    assert (done.returncode, "1 log line cannot be trusted" in done.stdout) == (1, True)


def test_colour_comes_only_where_it_is_wanted(recorded: Recorded) -> None:
    recorded.run()
    assert "\x1b" not in recorded.cli.run("show").stdout
    assert "\x1b[32" in recorded.cli.run("show", "--color").stdout
    assert "\x1b" not in recorded.cli.run("show", FORCE_COLOR="1", MILO_NO_COLOR="1").stdout


def test_a_reader_that_leaves_gets_no_traceback(recorded: Recorded) -> None:
    recorded.run()
    read, write = os.pipe()
    os.close(read)
    process = recorded.cli.start("show", stdout=write, stderr=-1, text=True)
    os.close(write)
    assert "Traceback" not in process.communicate(timeout=30)[1]
