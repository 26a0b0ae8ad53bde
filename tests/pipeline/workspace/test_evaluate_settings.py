"""Settings of the evaluation that the chosen kinds do not read are named."""

from typing import Any

import pytest

from pipeline.workspace.evaluate_settings import EvaluateSettings


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        ({}, []),
        ({"gate": {"temperature": 1.0, "threshold": 0.4}}, []),
        ({"gate": {"c": 2.0}}, ["evaluate.gate.c"]),
        ({"gate": {"kind": "published", "c": 2.0, "held_out": 0.2}}, []),
        ({"classifier": {"samples": 9, "relu": True}}, ["evaluate.classifier.samples", "evaluate.classifier.relu"]),
        ({"classifier": {"kind": "regression", "samples": 9}}, []),
    ],
)
def test_a_setting_that_nothing_reads_is_named(tree: dict[str, Any], named: list[str]) -> None:
    unused = EvaluateSettings.model_validate(tree).unused()
    assert [sentence.split(" ", 1)[0] for sentence in unused] == named
    assert all("does not read it" in sentence for sentence in unused)
