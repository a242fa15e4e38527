"""The names of the actions."""

import milo.pipeline
from milo.pipeline import actions


def test_every_action_type_is_its_constant_with_two_at_signs() -> None:
    for name in actions.__all__:
        assert getattr(actions, name) == f"@@{name}"


def test_every_constant_is_handed_on_by_the_package() -> None:
    for name in actions.__all__:
        assert getattr(milo.pipeline, name) == getattr(actions, name)
    assert len(actions.__all__) == 12
