"""Keys are plain values that compare, and cost no terminal library to import."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest

from milo.terminal import KEY, RESIZE, Key, SpecialKey


def test_keys_compare_and_hash_by_value() -> None:
    assert Key("g") == Key(char="g")
    assert Key("g") != Key("G")
    assert Key("c", ctrl=True) != Key("c")
    assert Key(name=SpecialKey.UP) in {Key(name=SpecialKey.UP): "found"}


def test_a_key_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Key("g").char = "G"  # type: ignore[misc]


def test_a_key_has_the_documented_fields_and_defaults() -> None:
    key = Key()
    assert (key.char, key.name, key.ctrl, key.alt, key.shift) == ("", None, False, False, False)


def test_a_key_survives_pickling() -> None:
    key = Key(name=SpecialKey.F12, alt=True)
    assert pickle.loads(pickle.dumps(key)) == key


def test_there_is_a_special_key_for_everything_a_keyboard_has() -> None:
    names = {key.name for key in SpecialKey}
    assert {"UP", "DOWN", "LEFT", "RIGHT", "HOME", "END", "PAGE_UP", "PAGE_DOWN"} <= names
    assert {"ENTER", "ESCAPE", "TAB", "BACKSPACE", "DELETE", "INSERT"} <= names
    assert {f"F{number}" for number in range(1, 13)} <= names


def test_the_action_types_are_the_documented_ones() -> None:
    assert (KEY, RESIZE) == ("@@KEY", "@@RESIZE")


def test_importing_keys_loads_no_terminal_library() -> None:
    code = "import sys, milo.terminal; sys.exit({'prompt_toolkit', 'rich'} & set(sys.modules) != set())"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0
