"""The Store: state, reducers, middleware and the sagas that run on it; knows no pipelines."""

from milo.store.combine import combine_reducers
from milo.store.commands import Batch, Cmd, Sequence, TickCmd
from milo.store.results import Quit, ReducerResult
from milo.store.store import Store
from milo.store.types import Dispatch, GetState, Listener, Middleware, Reducer

__all__ = [
    "Batch",
    "Cmd",
    "Dispatch",
    "GetState",
    "Listener",
    "Middleware",
    "Quit",
    "Reducer",
    "ReducerResult",
    "Sequence",
    "Store",
    "TickCmd",
    "combine_reducers",
]
