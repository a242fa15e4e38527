"""Sagas: generators of inert effects, and the runner that does what they say; knows no store and no pipelines."""

from milo.saga.channel import Channel
from milo.saga.effects import (
    All,
    Call,
    Cancel,
    Debounce,
    Delay,
    Effect,
    Fork,
    Join,
    Put,
    Race,
    Retry,
    SagaCancelled,
    Select,
    Take,
    TakeEvery,
    TakeLatest,
    Timeout,
    TryCall,
)
from milo.saga.runner import SagaRunner
from milo.saga.task import SagaTask

__all__ = [
    "All",
    "Call",
    "Cancel",
    "Channel",
    "Debounce",
    "Delay",
    "Effect",
    "Fork",
    "Join",
    "Put",
    "Race",
    "Retry",
    "SagaCancelled",
    "SagaRunner",
    "SagaTask",
    "Select",
    "Take",
    "TakeEvery",
    "TakeLatest",
    "Timeout",
    "TryCall",
]
