"""A pipeline in the detail view, with a template of one's own: python examples/detail.py."""

from __future__ import annotations

import time
from collections.abc import Callable

from milo import App, Phase, Pipeline
from milo.pipeline import make_detail_reducer

TEMPLATE = """
  {{ state.pipeline.name|bold }} {{ meter(state.pipeline.progress, columns // 3)|cyan }} {{ state.pipeline.status }}
{% for row in state.picture(columns, rows, now).rows -%}
{{ "❯"|bold if row.selected else " " }} {{ row.name|fit(12) }} {{ row.status|fit(10)|cyan }} {{ row.note|dim }}
{% endfor %}
"""


def work(what: str, seconds: float) -> Callable[[], None]:
    def handler() -> None:
        for step in range(10):
            print(f"{what} {step + 1} of 10")
            time.sleep(seconds / 10)

    return handler


pipeline = Pipeline(
    "build",
    Phase("discover", work("folder", 0.5)),
    Phase("parse", work("page", 1), depends_on=("discover",)),
    Phase("render", work("page", 3), depends_on=("parse",), parallel=True),
    Phase("assets", work("picture", 2), depends_on=("parse",), parallel=True),
    Phase("write", work("file", 0.5), depends_on=("render", "assets")),
    capture_output=True,
)

if __name__ == "__main__":
    App(TEMPLATE, make_detail_reducer(pipeline.build_reducer()), sagas=(pipeline.build_saga(),)).run()
