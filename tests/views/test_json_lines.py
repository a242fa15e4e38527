"""The JSON view: one object an action, one a line, in ASCII, without results."""

import json

from milo.action import INIT, Action
from milo.pipeline import PHASE_COMPLETE, PHASE_LOG, PHASE_START, Phase, Pipeline, PipelineState
from milo.views.json_lines import JsonLinesView, json_line

ONE = Pipeline("p", Phase("a", handler=lambda: None))


def test_each_action_is_one_ascii_line_that_parses(feed, out, tape):
    actions = [
        Action(PHASE_START, {"name": "a", "attempt": 1, "at": 1.0}),
        Action(PHASE_LOG, {"name": "a", "line": 'é\u2028 "\\', "stream": "stdout", "timestamp": 1.0}),
        Action(PHASE_COMPLETE, {"name": "a", "result": object(), "at": 2.0}),
    ]
    feed(JsonLinesView(out), ONE, actions)
    assert tape.getvalue().isascii()
    told = [json.loads(line) for line in tape.getvalue().split("\n")[:-1]]
    assert [entry["type"] for entry in told] == ["@@PIPELINE_START", PHASE_START, PHASE_LOG, PHASE_COMPLETE]
    assert told[2]["payload"]["line"] == 'é\u2028 "\\'
    assert told[3]["payload"] == {"name": "a", "at": 2.0}


def test_the_stores_own_first_action_is_left_out(out, tape):
    JsonLinesView(out).on_actions([Action(INIT)], PipelineState())
    assert tape.getvalue() == ""


def test_a_payload_that_is_no_json_is_written_as_text():
    assert json.loads(json_line(Action("x", {"error": ValueError("no")})))["payload"] == {"error": "no"}
