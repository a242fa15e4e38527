"""What goes to Dask workers by reference, and what by value."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from pathlib import Path
from types import ModuleType

import cloudpickle
import pytest

from milo.execution.dask.pickles import Pickles
from tests.execution import elsewhere


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that was loaded from a path to which no import path leads."""
    path = tmp_path / "with-dash.py"
    path.write_text("def handler(): return 7")
    spec = importlib.util.spec_from_file_location("milo_test_loaded", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "milo_test_loaded", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("by_value", [True, False])
def test_functions_of_modules_go_by_name(by_value: bool) -> None:
    pickles = Pickles(by_value=by_value)
    assert len(pickles.dumps(elsewhere.pid)) < 100
    pickles.close()


def test_a_function_without_a_name_goes_along() -> None:
    assert pickle.loads(Pickles(by_value=False).dumps(lambda: 7))() == 7


def test_a_module_that_was_loaded_from_a_path_goes_along_to_workers_of_somebody_elses(
    loaded: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickles = Pickles(by_value=True)
    packed = pickles.dumps(loaded.handler)
    pickles.close()
    assert "milo_test_loaded" not in cloudpickle.list_registry_pickle_by_value()
    monkeypatch.delitem(sys.modules, "milo_test_loaded")
    assert pickle.loads(packed)() == 7


def test_what_the_program_itself_has_told_cloudpickle_stays(loaded: ModuleType) -> None:
    cloudpickle.register_pickle_by_value(loaded)
    Pickles(by_value=True).close()
    assert "milo_test_loaded" in cloudpickle.list_registry_pickle_by_value()
    cloudpickle.unregister_pickle_by_value(loaded)


def test_one_run_that_ends_takes_nothing_from_another(loaded: ModuleType) -> None:
    one, two = Pickles(by_value=True), Pickles(by_value=True)
    one.close()
    one.close()
    assert "milo_test_loaded" in cloudpickle.list_registry_pickle_by_value()
    two.close()
    assert "milo_test_loaded" not in cloudpickle.list_registry_pickle_by_value()


def test_what_the_program_has_taken_back_meanwhile_is_no_error(loaded: ModuleType) -> None:
    pickles = Pickles(by_value=True)
    cloudpickle.unregister_pickle_by_value(loaded)
    pickles.close()


def test_what_a_program_from_stdin_defines_goes_along_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    main = type(sys)("__main__")
    main.__file__ = "<stdin>"
    exec("def answer(): return 7", vars(main))
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "__main__", main)
        packed = Pickles(by_value=False).dumps(vars(main)["answer"])
    assert pickle.loads(packed)() == 7
