"""The graphs that are measured, their handlers, and the check that a run really did the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping

__all__ = ["SHAPES", "Graph", "Handler", "Handlers", "Results", "check", "dependencies", "handlers"]

SHAPES = ("chain", "wide", "layers")
LAYER_WIDTH = 100
MODULUS = 65_521

Handler = Callable[[Mapping[str, int]], int]
Graph = Mapping[str, tuple[str, ...]]
Handlers = Mapping[str, Handler]
Results = Mapping[str, int]


def dependencies(shape: str, count: int) -> dict[str, tuple[str, ...]]:
    """The graph as name -> names that must complete first, in an order in which it could run.

    Args:
        shape: ``chain`` (one after the other), ``wide`` (one, then all the others at once, then one that
            waits for them), ``layers`` (layers of 100, each phase waits for three of the layer before).
        count: How many phases, at least 3.
    """
    before: list[tuple[int, ...]]
    if shape == "chain":
        before = [(i - 1,) if i else () for i in range(count)]
    elif shape == "wide":
        before = [(), *[(0,)] * (count - 2), tuple(range(1, count - 1))]
    elif shape == "layers":
        before = [_three_of_layer_before(i) for i in range(count)]
    else:
        raise ValueError(f"shape must be one of {', '.join(SHAPES)}; got {shape!r}")
    return {f"p{i}": tuple(f"p{j}" for j in wanted) for i, wanted in enumerate(before)}


def _three_of_layer_before(index: int) -> tuple[int, ...]:
    layer, column = divmod(index, LAYER_WIDTH)
    if layer == 0:
        return ()
    start = (layer - 1) * LAYER_WIDTH
    return tuple(start + (column + step) % LAYER_WIDTH for step in (0, 31, 67))


def handlers(graph: Graph, calls: list[str]) -> dict[str, Handler]:
    """A handler a phase: it notes its call and returns a number made of its own and its dependencies'."""

    def make(name: str, number: int) -> Handler:
        def handler(context: Mapping[str, int]) -> int:
            calls.append(name)
            return (number + sum(context.values())) % MODULUS

        return handler

    return {name: make(name, 31 * i + 1) for i, name in enumerate(graph)}


def check(graph: Graph, calls: list[str], results: Results) -> None:
    """Raise AssertionError unless every handler ran exactly once, with its dependencies' values."""
    if len(calls) != len(graph) or set(calls) != set(graph):
        raise AssertionError(
            f"{len(calls)} calls of {len(set(calls))} handlers, {len(graph)} wanted, once each"
        )
    wanted: dict[str, int] = {}
    for i, (name, before) in enumerate(graph.items()):
        wanted[name] = (31 * i + 1 + sum(wanted[other] for other in before)) % MODULUS
        if results[name] != wanted[name]:
            raise AssertionError(f"{name} gave {results[name]}, {wanted[name]} wanted")
