"""The alert rules load, ask only for metrics of the catalogue with labels that are set, and point to a page that exists."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from libs.kit.metrics import CATALOGUE

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "infra/prometheus").glob("*.rules.yaml"))
STATES = {"state": {"agreed", "differs", "not_comparable"}}
SELECTOR = re.compile(r'(perpstream_\w+)(?:\{(\w+)="(\w+)"\})?')


def rules() -> Iterator[dict[str, Any]]:
    for file in FILES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            assert set(group) <= {"name", "rules", "interval"}
            yield from group["rules"]


def test_there_are_rules_and_each_has_its_own_name() -> None:
    names = [rule["alert"] for rule in rules()]
    assert {"PerpstreamDriftFound", "PerpstreamDriftCheckOverdue"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_is_published_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert re.search(rf"^#+ {anchor}$", (ROOT / page).read_text(), re.MULTILINE | re.IGNORECASE)
    known = {spec.name: spec.labels for spec in CATALOGUE}
    found = SELECTOR.findall(rule["expr"])
    assert found
    for name, label, value in found:
        assert name in known
        assert not label or (label in known[name] and value in STATES[label])
    assert re.fullmatch(r"(\d+[smhd])?", rule.get("for", ""))
