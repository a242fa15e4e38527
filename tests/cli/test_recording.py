"""Runs that are recorded without being asked, and resumed: `milo run` as a process of its own."""

import json
import os
import resource
import sys
from pathlib import Path

import pytest

from milo.journal import history
from tests.cli.conftest import Cli
from tests.cli.recorded import Recorded

WARNED = "milo: warning: The journal"


def statuses(path: Path) -> list[str]:
    return [info.status for info in history(path)]


def test_a_run_is_recorded_without_being_asked(recorded: Recorded) -> None:
    """In a folder that only its owner can read, and that version control passes over."""
    assert recorded.run().returncode == 0
    assert statuses(recorded.journal) == ["completed"]
    assert (recorded.journal.parent.stat().st_mode & 0o777) == 0o700
    assert (recorded.journal.parent / ".gitignore").read_text().strip() == "*"


@pytest.mark.parametrize(
    ("arguments", "env"),
    [(["--no-journal"], {}), ([], {"MILO_JOURNAL": "off"}), ([], {"MILO_NO_JOURNAL": "1"})],
)
def test_a_run_is_not_recorded_where_that_is_turned_off(
    recorded: Recorded, arguments: list[str], env: dict[str, str]
) -> None:
    done = recorded.run(*arguments, **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert not recorded.journal.parent.exists()


def test_the_journal_is_where_option_variable_or_configuration_say(recorded: Recorded) -> None:
    """The option comes before the variable, the variable before pyproject.toml."""
    toml = '[tool.milo]\njournal = "c.db"\nkeep = 1\ndurability = "power"\n'
    (recorded.folder / "pyproject.toml").write_text(toml)
    for arguments, env in (
        ([], {}),
        ([], {"MILO_JOURNAL": "b.db"}),
        (["--journal", "a.db"], {"MILO_JOURNAL": "b.db"}),
    ):
        assert recorded.run(*arguments, **env).returncode == 0
    assert [len(statuses(recorded.folder / name)) for name in ("a.db", "b.db", "c.db")] == [1, 1, 1]
    assert not recorded.journal.exists()


@pytest.mark.parametrize("arguments", [["--resume"], ["--durability", "power"]])
def test_what_needs_a_journal_is_refused_without_one(recorded: Recorded, arguments: list[str]) -> None:
    done = recorded.run("--no-journal", *arguments)
    assert (done.returncode, recorded.ran()) == (2, "")
    assert arguments[0] in done.stderr


def test_a_default_journal_that_cannot_be_made_is_a_warning(recorded: Recorded) -> None:
    (recorded.folder / ".milo").write_text("in the way")
    done = recorded.run()
    assert (done.returncode, recorded.ran()) == (0, "abc")
    assert done.stderr.count("milo: warning: ") == 1
    assert "The run goes on unrecorded, and cannot be resumed." in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--journal", "folder"], ["--journal", "/dev/null"], ["--durability", "power"]]
)
def test_a_journal_that_was_asked_for_and_cannot_be_made_is_an_error_before_anything_runs(
    recorded: Recorded, arguments: list[str]
) -> None:
    (recorded.folder / ".milo").write_text("in the way")
    (recorded.folder / "folder").mkdir()
    done = recorded.run(*arguments)
    assert (done.returncode, recorded.ran()) == (2, "")
    assert "Traceback" not in done.stderr


def limit_files() -> None:
    """Of the files that milo writes, none may grow beyond this; the journal reaches it when the first phase is done."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))


LARGE = "return bytes(200_000)"


@pytest.mark.skipif(sys.platform == "darwin", reason="the limit is only on what is written beyond it")
def test_an_asked_for_journal_that_fails_on_the_way_fails_the_run(recorded: Recorded) -> None:
    recorded.change("return [1]", LARGE)
    process = recorded.cli.start(
        "run", "--journal", "j.db", preexec_fn=limit_files, stdout=-1, stderr=-1, text=True
    )
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "milo: The journal" in errors
    # Successors do not wait for the disk; but nobody is told of what is not on it.
    assert " failed in " in out
    assert "done   b" not in out
    assert "steps completed" not in out
    # What is recorded is the beginning of a run that has stopped, and can be gone on with once there is room.
    [info] = history(recorded.folder / "j.db")
    assert info.resumable, info.broken
    assert recorded.run("--journal", "j.db", "--resume").returncode == 0
    assert statuses(recorded.folder / "j.db") == ["completed"]


@pytest.mark.skipif(sys.platform == "darwin", reason="the limit is only on what is written beyond it")
def test_the_default_journal_that_fails_on_the_way_is_a_warning_and_cannot_be_resumed(
    recorded: Recorded,
) -> None:
    recorded.change("return [1]", LARGE)
    recorded.change("return [*a, 2]", "return 2")
    process = recorded.cli.start("run", preexec_fn=limit_files, stdout=-1, stderr=-1, text=True)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, recorded.ran()) == (0, "abc")
    assert errors.count("milo: warning: ") == 1
    assert "steps completed" in out
    [info] = history(recorded.journal)
    assert not info.resumable
    assert recorded.run("--resume").returncode == 2


def test_resuming_runs_what_is_left_and_says_what_is_kept(recorded: Recorded) -> None:
    assert recorded.fail("c").returncode == 1
    recorded.forget()
    done = recorded.run("--resume")
    assert (done.returncode, recorded.ran()) == (0, "c")
    assert done.stdout.startswith("resumed: 2 of 3 phases kept, nothing to unlock (run ")
    assert (recorded.folder / "result").read_text() == "[1, 2]"
    assert statuses(recorded.journal) == ["completed"]


def test_resuming_restores_parameters_and_selection(recorded: Recorded) -> None:
    """A run that is named knows its target as well."""
    recorded.fail("b", "pipeline.py", "b", "-p", "tone=high")
    (recorded.folder / "tone").unlink()
    [info] = history(recorded.journal)
    recorded.change('    work("c")', '    raise SystemExit("never asked for")')
    done = recorded.run("--resume", info.row.name[:12])
    assert done.returncode == 0
    assert (recorded.folder / "tone").read_text() == "high"
    assert recorded.ran() == "abb"


def test_a_changed_phase_and_what_depends_on_it_run_again_and_that_is_said(recorded: Recorded) -> None:
    recorded.fail("c")
    recorded.forget()
    recorded.change("return [1]", "return [7]")
    done = recorded.run("--resume")
    assert (done.returncode, recorded.ran()) == (0, "abc")
    assert "again  a: its handler changed\n" in done.stdout
    assert "again  b: it depends on a, which changed\n" in done.stdout
    assert (recorded.folder / "result").read_text() == "[7, 2]"


def test_resuming_what_is_not_there_exits_with_2(recorded: Recorded) -> None:
    assert "There is no journal" in recorded.run("--resume").stderr
    recorded.run()
    nothing, unknown = recorded.run("--resume"), recorded.run("--resume", "zzz")
    assert (nothing.returncode, unknown.returncode) == (2, 2)
    assert "nothing to resume" in nothing.stderr
    mixed_up = recorded.cli.run("run", "--resume", "x.py:y")
    assert (mixed_up.returncode, "Write the TARGET first: milo run x.py:y --resume" in mixed_up.stderr) == (
        2,
        True,
    )
    assert "has no run 'zzz'" in unknown.stderr
    assert recorded.ran() == "abc"


def test_a_run_that_is_being_run_cannot_be_resumed_and_its_process_is_named(recorded: Recorded) -> None:
    process = recorded.start_and_hold("b")
    done = recorded.run("--resume")
    assert (done.returncode, str(process.pid) in done.stderr) == (2, True)
    assert statuses(recorded.journal) == ["running"]
    recorded.let_go("b")
    assert process.wait(30) == 0
    assert recorded.ran() == "abc"


def test_a_run_whose_process_was_killed_is_interrupted_and_is_resumed(recorded: Recorded) -> None:
    recorded.kill_in("b")
    assert statuses(recorded.journal) == ["interrupted"]
    recorded.forget()
    done = recorded.run("--resume")
    assert (done.returncode, recorded.ran()) == (0, "bc")
    assert "1 of 3 phases kept, nothing to unlock" in done.stdout


@pytest.mark.parametrize("keep", [1, 2])
def test_only_as_many_runs_are_kept_as_asked_for(recorded: Recorded, keep: int) -> None:
    """Their output goes with them."""
    for _ in range(4):
        assert recorded.run("--keep", str(keep)).returncode == 0
    assert statuses(recorded.journal) == ["completed"] * keep
    assert len(list((recorded.journal.parent / "logs").iterdir())) == keep


def test_a_damaged_journal_is_set_aside_and_that_is_told(recorded: Recorded) -> None:
    recorded.run()
    for each in recorded.journal.parent.glob("runs.db-*"):
        each.unlink()
    recorded.journal.write_bytes(recorded.journal.read_bytes()[:100] + bytes(8000))
    done = recorded.run()
    assert (done.returncode, recorded.ran()) == (0, "abcabc")
    assert done.stderr.count("milo: warning: ") == 1
    assert "The damaged file is" in done.stderr
    assert statuses(recorded.journal) == ["completed"]


def test_the_summary_names_the_complete_output_of_a_failed_phase(recorded: Recorded) -> None:
    done = recorded.fail("b")
    [line] = [line for line in done.stdout.splitlines() if "all of it:" in line]
    path = recorded.folder / line.partition(": ")[2]
    assert path.read_text() == "b is at work\n"


@pytest.mark.skipif(sys.platform == "darwin", reason="the limit is only on what is written beyond it")
def test_output_that_was_cut_short_is_not_called_all_of_it(recorded: Recorded) -> None:
    recorded.change('print(f"{name} is at work")', 'print("x" * 150_000, flush=True)')
    (recorded.folder / "break-a").touch()
    process = recorded.cli.start("run", preexec_fn=limit_files, stdout=-1, stderr=-1, text=True)
    out, errors = process.communicate(timeout=30)
    assert "a.log cannot be written: the limit on file sizes is reached." in errors
    assert "all of it" not in out
    [line] = [line for line in out.splitlines() if "what was kept of it:" in line]
    assert (recorded.folder / line.partition(": ")[2]).stat().st_size == 120_000


def test_json_of_a_resumed_run_is_nothing_but_json(recorded: Recorded) -> None:
    recorded.fail("c")
    done = recorded.run("--resume", "--json")
    actions = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert actions[0]["type"] == "@@PIPELINE_START"
    assert actions[0]["payload"]["resumed"] is True


def test_help_loads_neither_the_journal_nor_its_database(recorded: Recorded) -> None:
    """They would make every command wait for them."""
    done = recorded.cli.run("--help", PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not {"sqlite3", "milo.journal", "milo.session"} & loaded


@pytest.mark.skipif(sys.platform != "linux", reason="file names are any bytes only there")
def test_a_run_in_a_folder_whose_name_is_no_utf_8_is_resumed_like_any(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff"))
    folder.mkdir()
    recorded = Recorded(Cli(folder))
    recorded.fail("c")
    recorded.forget()
    assert "keep  a  it is done" in recorded.cli.run("explain").stdout
    done = recorded.run("--resume")
    assert (done.returncode, recorded.ran()) == (0, "c")
