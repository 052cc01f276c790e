"""The catalogue is the type: same names, once each, with units and meanings, and nothing outside it."""

from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import generate_latest

from libs.kit.metrics import CATALOGUE, REGISTRY, MetricName, MetricSpec, counter, gauge, histogram

ROOT = Path(__file__).parents[3]
MAKERS = {"counter": counter, "gauge": gauge, "histogram": histogram}


def test_the_catalogue_is_the_type() -> None:
    assert tuple(spec.name for spec in CATALOGUE) == get_args(MetricName)


def test_nothing_stands_in_the_catalogue_that_nobody_measures() -> None:
    files = [
        path for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py") if path.name != "metrics.py"
    ]
    code = "".join(path.read_text() for path in files)
    assert [spec.name for spec in CATALOGUE if f'"{spec.name}"' not in code] == []


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_each_row_follows_prometheus_customs_and_can_be_used(spec: MetricSpec) -> None:
    assert spec.name.startswith("perpstream_")
    assert (spec.kind == "counter") == spec.name.endswith("_total")
    assert ("seconds" in spec.name) == (spec.unit == "seconds")
    assert spec.meaning.endswith(".")
    made = MAKERS[spec.kind](spec.name)
    if spec.labels:
        made.labels(**dict.fromkeys(spec.labels, "x"))
    assert f"# HELP {spec.name}".encode() in generate_latest(REGISTRY)


def test_a_metric_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="is a gauge, not a counter"):
        counter("perpstream_ready")
    with pytest.raises(TypeError, match="is a counter, not a gauge"):
        gauge("perpstream_dlq_total")
    with pytest.raises(TypeError, match="is a gauge, not a histogram"):
        histogram("perpstream_ready")


def test_a_metric_is_made_once() -> None:
    assert counter("perpstream_dlq_total") is counter("perpstream_dlq_total")
