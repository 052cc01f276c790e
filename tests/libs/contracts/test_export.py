"""The generated documents are committed, current, and hold together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.contracts import export
from libs.contracts.topics import TOPICS

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENTS = export.documents()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_drift(name: str) -> None:
    assert (DOCS / name).read_text() == DOCUMENTS[name], "run `python -m libs.contracts.export`"


def test_no_document_outlives_its_event() -> None:
    on_disk = {str(path.relative_to(DOCS)) for path in (DOCS / "contracts").rglob("*.json")}
    assert on_disk == {name for name in DOCUMENTS if name.startswith("contracts/")}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    document = export.asyncapi()
    references = list(_references(document))
    assert len(references) > 100
    for reference in references:
        if reference.startswith("./"):
            assert (DOCS / "contracts" / reference).is_file(), reference
            continue
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


def test_the_asyncapi_document_says_what_the_table_says() -> None:
    document = export.asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        channel = document["channels"][topic.name]
        kafka = channel["bindings"]["kafka"]
        assert channel["address"] == kafka["topic"] == topic.name
        assert kafka["partitions"] == topic.partitions(export.EXAMPLE_PARTITIONS)
        assert kafka["topicConfiguration"] == {"cleanup.policy": [topic.cleanup], "retention.ms": topic.retention_ms}
        for action, services in (("send", topic.producers), ("receive", topic.consumers)):
            for service in services:
                operation = document["operations"][f"{service}.{action}.{topic.name}"]
                assert operation["action"] == action
                assert len(operation["messages"]) == len(topic.events)
    expected = sum(len(topic.producers) + len(topic.consumers) for topic in TOPICS)
    assert len(document["operations"]) == expected


def test_every_binary_column_says_its_type() -> None:
    for kind in export.event_types():
        binary = {name for name, annotation in kind.__annotations__.items() if annotation is bytes}
        assert binary == set(export.COLUMNS.get(kind, {}))


def test_elements_of_array_structs_are_named() -> None:
    for kind in export.event_types():
        for definition in export.json_schema(kind)["$defs"].values():
            if definition["type"] == "array":
                assert all(item["title"] for item in definition["prefixItems"])


def test_check_mode_names_what_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert export.main(["--check"]) == 1
    assert "stale docs/topics.md" in capsys.readouterr().out
    assert export.main([]) == 0
    assert export.main(["--check"]) == 0
    (tmp_path / "docs/topics.md").write_text("changed by hand")
    assert export.main(["--check"]) == 1
