"""Strategy files reach the log once: equal files add nothing, changed ones replace, removed ones are withdrawn."""

import json
from pathlib import Path

import pytest

from infra.local.options import ROOT
from libs.contracts.control import StrategyActivated
from libs.kit.errors import ConfigurationError
from libs.streaming.admin import ensure_topics
from services.console.activation import activation_of, changes, publish_strategies
from services.console.strategy_files import read_files, strategy_files


def _activations(folder: Path) -> list[StrategyActivated]:
    return [activation_of(item, path.read_bytes()) for path, item in read_files(strategy_files(folder)).items()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("v51.json", "v52.json", "schema.json"):
        (tmp_path / name).write_bytes((ROOT / "strategies" / name).read_bytes())
    return tmp_path


def _edit(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_only_what_differs_from_the_log_is_published(folder: Path) -> None:
    first = _activations(folder)
    assert [event.strategy for event in changes(first, [])] == ["v51", "v52"]
    assert changes(first, first) == []
    _edit(folder / "v52.json", version=99)
    (second,) = changes(_activations(folder), first)
    assert (second.strategy, second.version, second.enabled) == ("v52", 99, True)
    assert changes(_activations(folder), [*first, second]) == []


def test_formatting_is_no_change(folder: Path) -> None:
    first = _activations(folder)
    _edit(folder / "v51.json")
    assert changes(_activations(folder), first) == []


def test_a_removed_file_withdraws_its_strategy_once(folder: Path) -> None:
    first = _activations(folder)
    (folder / "v51.json").unlink()
    (gone,) = changes(_activations(folder), first)
    assert (gone.strategy, gone.enabled) == ("v51", False)
    assert changes(_activations(folder), [*first, gone]) == []


def test_two_files_of_one_name_are_refused(folder: Path) -> None:
    (folder / "copy.json").write_bytes((folder / "v51.json").read_bytes())
    with pytest.raises(ConfigurationError, match="two files define the strategy v51"):
        _activations(folder)


def test_brackets_without_an_end_are_one_line(folder: Path) -> None:
    (folder / "v51.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ConfigurationError, match=r"v51\.json: \$: nested too deeply"):
        _activations(folder)


def test_a_folder_without_strategies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="PERPSTREAM_STRATEGIES_DIR"):
        strategy_files(tmp_path)


@pytest.mark.integration
async def test_publishing_twice_adds_nothing(empty_kafka: str, folder: Path) -> None:
    await ensure_topics(empty_kafka, 4)
    await publish_strategies(empty_kafka, folder)
    assert "; 0 changes" in await publish_strategies(empty_kafka, folder)
    _edit(folder / "v51.json", version=77)
    assert "v51/77" in await publish_strategies(empty_kafka, folder)
    assert "; 0 changes" in await publish_strategies(empty_kafka, folder)
