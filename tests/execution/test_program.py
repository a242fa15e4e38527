"""How a new process finds the modules of the program that it works for."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path

import pytest

from milo.execution.program import FilesByName, Unpickler, files_by_name, refuse_while_importing_main


def test_a_module_is_found_by_its_name_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "with-dash.py"
    path.write_text("value = 7")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, FilesByName({"milo_target_with": str(path)})])
    module = importlib.import_module("milo_target_with")
    monkeypatch.delitem(sys.modules, "milo_target_with")
    assert module.value == 7
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("milo_target_other")


def test_modules_are_told_that_no_import_path_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "with-dash.py"
    path.touch()
    spec = FilesByName({"milo_target_with": str(path)}).find_spec("milo_target_with")
    assert spec is not None
    monkeypatch.setitem(sys.modules, "milo_target_with", importlib.util.module_from_spec(spec))
    files = files_by_name()
    assert files["milo_target_with"] == str(path)
    assert not {"json", "pytest", "milo"} & set(files)


def test_a_program_that_cannot_be_loaded_says_why_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "program.py"
    path.write_text("raise LookupError('broken')")
    monkeypatch.setattr(Unpickler, "main", {"init_main_from_path": str(path)})
    asks = b"c__main__\nanswer\n."
    for _ in range(2):
        with pytest.raises(LookupError, match="broken"):
            Unpickler(io.BytesIO(asks)).load()


def test_a_process_that_is_no_worker_loads_no_program() -> None:
    refuse_while_importing_main()
