"""Phase and PhasePolicy: what they keep, what they refuse and with which words."""

import math
import pickle
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo import Phase, PhasePolicy
from milo.errors import MiloError, PipelineError


def work() -> None:
    pass


def test_phase_and_policy_are_immutable_and_hashable() -> None:
    phase = Phase("a", work)
    with pytest.raises(AttributeError):
        phase.name = "b"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        phase.policy.on_fail = "skip"  # type: ignore[misc]
    assert len({phase, Phase("a", work)}) == 1
    assert phase == Phase("a", work)
    assert phase != Phase("a", work, weight=2)


def test_the_fields_may_be_given_by_position() -> None:
    policy = PhasePolicy("retry", 2, 0.5, "exponential")
    phase = Phase("a", work, "what it does", ("b",), True, 3, policy, 9)
    assert (phase.description, phase.depends_on, phase.parallel) == ("what it does", ("b",), True)
    assert (phase.weight, phase.policy, phase.max_logs) == (3, policy, 9)


def test_a_phase_can_be_pickled() -> None:
    phase = Phase("a", work, depends_on=("b",))
    again = pickle.loads(pickle.dumps(phase))
    assert again == phase
    assert again.binding == phase.binding


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "A phase name must not be empty, got ''."),
        ("  ", "A phase name must not be empty, got '  '."),
        (7, "A phase name must be a string, got 7."),
        (None, "A phase name must be a string, got None."),
        ("a\nb", "A phase name must not hold control characters, got 'a\\nb'."),
        ("a\tb", "A phase name must not hold control characters"),
        ("a\x1b[31mb", "A phase name must not hold control characters"),
        ("a\x7f", "A phase name must not hold control characters"),
        ("a\x9b", "A phase name must not hold control characters"),
        ("a\u202eb", "A phase name must not hold control characters"),
        ("a\x00", "A phase name must not hold control characters"),
        ("\udc80", "A phase name must not hold control characters"),
        ("render[0]", "A phase name must not end in [0], got 'render[0]'"),
        ("[12]", "A phase name must not end in [12]"),
    ],
)
def test_a_name_is_refused(name: Any, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        Phase(name, work)
    assert str(caught.value).startswith(message)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a", "über", "日本", "a b", "a[x]", "a]", "[1]a", "x/y:z", "e\u0301"])
def test_a_name_is_accepted(name: str) -> None:
    assert Phase(name, work).name == name


def test_a_string_for_depends_on_is_refused_with_the_tuple_to_write() -> None:
    with pytest.raises(PipelineError) as caught:
        Phase("write", work, depends_on="parse")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "depends_on of phase 'write' must be a tuple of names, got the string 'parse'. "
        'Write depends_on=("parse",).'
    )


@pytest.mark.parametrize("value", [7, None, 1.5])
def test_depends_on_that_cannot_be_iterated_is_refused(value: Any) -> None:
    with pytest.raises(PipelineError, match="must be a tuple of names, got"):
        Phase("a", work, depends_on=value)


def test_depends_on_of_something_else_than_names_is_refused() -> None:
    with pytest.raises(PipelineError, match="must hold names, got 7"):
        Phase("a", work, depends_on=(7,))  # type: ignore[arg-type]


def test_depends_on_may_be_any_iterable_and_names_a_dependency_once() -> None:
    assert Phase("a", work, depends_on=["b", "c", "b"]).depends_on == ("b", "c")  # type: ignore[arg-type]
    assert Phase("a", work, depends_on=("b", "c", "b")).depends_on == ("b", "c")


@pytest.mark.parametrize("weight", [-1, -0.5, math.inf, math.nan, "1", True, None])
def test_a_weight_is_refused(weight: Any) -> None:
    with pytest.raises(PipelineError, match="weight of phase 'a' must be a finite number of at least 0, got"):
        Phase("a", work, weight=weight)


@pytest.mark.parametrize("weight", [0, 0.0, 0.25, 10**30])
def test_a_weight_is_accepted(weight: float) -> None:
    assert Phase("a", work, weight=weight).weight == weight


@pytest.mark.parametrize("count", [-1, 1.0, "2", True, None, math.inf])
def test_a_count_is_refused(count: Any) -> None:
    with pytest.raises(
        PipelineError, match="max_logs of phase 'a' must be a whole number of at least 0, got"
    ):
        Phase("a", work, max_logs=count)
    with pytest.raises(PipelineError, match="max_retries must be a whole number of at least 0, got"):
        PhasePolicy(on_fail="retry", max_retries=count)


@pytest.mark.parametrize("delay", [-0.1, math.inf, -math.inf, math.nan, "1", True, None])
def test_a_delay_is_refused(delay: Any) -> None:
    with pytest.raises(ValueError, match="retry_delay must be a finite number of at least 0, got"):
        PhasePolicy(retry_delay=delay)


@pytest.mark.parametrize("value", ["explode", "", None, 3, "STOP", []])
def test_an_unknown_on_fail_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="on_fail must be one of 'stop', 'skip', 'retry', got"):
        PhasePolicy(on_fail=value)


@pytest.mark.parametrize("value", ["linear", None, 3])
def test_an_unknown_retry_backoff_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="retry_backoff must be one of 'fixed', 'exponential', got"):
        PhasePolicy(retry_backoff=value)


def test_every_refusal_is_a_milo_error_and_a_value_error() -> None:
    assert issubclass(PipelineError, MiloError)
    assert issubclass(PipelineError, ValueError)


def test_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(PipelineError, match="policy of phase 'a' must be a PhasePolicy, got 'skip'"):
        Phase("a", work, policy="skip")  # type: ignore[arg-type]


def test_a_description_that_is_no_string_is_refused() -> None:
    with pytest.raises(PipelineError, match="description of phase 'a' must be a string, got 7"):
        Phase("a", work, description=7)  # type: ignore[arg-type]


def test_a_description_is_made_safe() -> None:
    assert "\x1b]" not in Phase("a", work, description="x\x1b]0;title\x07y").description


def test_retry_without_retries_is_allowed_and_warns() -> None:
    with pytest.warns(UserWarning, match="never retries. Give it max_retries=1") as caught:
        policy = PhasePolicy(on_fail="retry")
    assert policy.max_retries == 0
    assert caught[0].filename == __file__


def test_other_policies_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PhasePolicy(on_fail="skip")
        PhasePolicy(on_fail="retry", max_retries=1)


def test_a_fixed_delay_stays_and_has_no_cap() -> None:
    policy = PhasePolicy("retry", 9, 45.0)
    assert [policy.delay_s(attempt) for attempt in (1, 2, 9)] == [45.0, 45.0, 45.0]


def test_an_exponential_delay_doubles_up_to_thirty_seconds() -> None:
    policy = PhasePolicy("retry", 9, 0.5, "exponential")
    assert [policy.delay_s(attempt) for attempt in (1, 2, 3, 7, 8, 100_000)] == [0.5, 1, 2, 30, 30, 30]


# Timeouts, and what else is given by keyword


def test_the_later_fields_are_given_by_keyword_only() -> None:
    phase = Phase("a", work, timeout=0.5, version="2", persist=False)
    assert (phase.timeout, phase.version, phase.persist) == (0.5, "2", False)
    assert (Phase("a", work).timeout, Phase("a", work).version, Phase("a", work).persist) == (None, "", True)
    assert phase != Phase("a", work)
    with pytest.raises(TypeError):
        Phase("a", work, "", (), False, 1, PhasePolicy(), 200, 3.0)  # type: ignore[misc]
    with pytest.raises(TypeError):
        PhasePolicy("retry", 1, 1.0, "fixed", 0.5)  # type: ignore[misc]


@pytest.mark.parametrize("timeout", [0, -1, 0.0, math.inf, math.nan, "1", True])
def test_a_timeout_is_refused(timeout: Any) -> None:
    with pytest.raises(
        PipelineError,
        match=r"timeout of phase 'a' must be a finite number of seconds above 0, got .* Leave it out for no limit",
    ):
        Phase("a", work, timeout=timeout)


def test_a_version_that_is_no_string_and_a_persist_that_is_no_flag_are_refused() -> None:
    with pytest.raises(PipelineError, match="version of phase 'a' must be a string, got 2"):
        Phase("a", work, version=2)  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match="persist of phase 'a' must be True or False, got 1"):
        Phase("a", work, persist=1)  # type: ignore[arg-type]


# Which failures are retried, and what follows


@pytest.mark.parametrize(
    "value", [BaseException, KeyboardInterrupt, SystemExit, OSError(), "OSError", None, 7]
)
def test_what_is_no_exception_to_retry_on_is_refused(value: Any) -> None:
    with pytest.raises(
        PipelineError, match=r"retry_on must hold subclasses of Exception, got .* Write retry_on="
    ):
        PhasePolicy(retry_on=(OSError, value))
    with pytest.raises(PipelineError, match="retry_on must hold subclasses of Exception, got"):
        PhasePolicy(retry_on=value)


def test_retry_on_may_be_one_class_or_a_list_and_the_policy_stays_hashable() -> None:
    expected = PhasePolicy(retry_on=(OSError,))
    assert expected.retry_on == (OSError,)
    assert {expected, PhasePolicy(retry_on=OSError), PhasePolicy(retry_on=[OSError])} == {expected}  # type: ignore[arg-type]
    assert PhasePolicy().retry_on == (Exception,)


@pytest.mark.parametrize("value", ["retry", "", None, 3, []])
def test_an_unknown_then_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="then must be one of 'stop', 'skip', got"):
        PhasePolicy(then=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.inf, math.nan, "0.5", True, None])
def test_a_jitter_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="retry_jitter must be a number from 0 to 1, got"):
        PhasePolicy(retry_jitter=value)


@given(
    delay=st.floats(0, 100),
    jitter=st.floats(0, 1),
    chance=st.floats(0, 1),
    backoff=st.sampled_from(["fixed", "exponential"]),
    attempt=st.integers(1, 50),
)
def test_a_delay_stays_within_its_jitter_and_its_cap(
    delay: float, jitter: float, chance: float, backoff: str, attempt: int
) -> None:
    middle = PhasePolicy("retry", 9, delay, backoff).delay_s(attempt)
    given = PhasePolicy("retry", 9, delay, backoff, retry_jitter=jitter).delay_s(attempt, chance)
    cap = 30.0 if backoff == "exponential" else math.inf
    uncapped = delay * 2.0 ** (attempt - 1) if backoff == "exponential" else delay
    assert 0 <= given <= cap
    assert min(uncapped * (1 - jitter), cap) * (1 - 1e-9) <= given <= uncapped * (1 + jitter) * (1 + 1e-9)
    assert middle == min(uncapped, cap)


def test_the_jitter_reaches_both_ends_of_its_range() -> None:
    policy = PhasePolicy("retry", 9, 10.0, retry_jitter=0.5)
    assert [policy.delay_s(1, chance) for chance in (0.0, 0.5, 1.0)] == [5.0, 10.0, 15.0]
    assert policy.delay_s(1) == 10.0


def test_a_policy_with_everything_can_be_pickled() -> None:
    policy = PhasePolicy("retry", 2, retry_jitter=0.2, retry_on=(OSError, ValueError), then="skip")
    assert pickle.loads(pickle.dumps(policy)) == policy
