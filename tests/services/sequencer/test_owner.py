"""The shell's own small rules: its share of partitions, and finding strangers by their offsets."""

import asyncio

import pytest

from libs.kit.settings import load_settings
from services.sequencer.owner import LogWatch
from services.sequencer.settings import SequencerSettings


@pytest.mark.parametrize(
    ("text", "share"), [("", (0, 1, 2, 3)), ("all", (0, 1, 2, 3)), ("2", (2,)), ("3, 1,1", (1, 3))]
)
def test_the_share_of_partitions(text: str, share: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPSTREAM_SEQUENCER_PARTITIONS", text)
    assert load_settings(SequencerSettings).owned() == share


async def test_a_gap_between_our_offsets_is_somebody_else() -> None:
    watch = LogWatch(10)
    for offset in (10, 11, 14, 15, -1, 18):
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_result(offset)
        watch.acknowledge(future)
    assert watch.gaps == [(12, 14), (16, 18)]
    assert watch.found.is_set()
