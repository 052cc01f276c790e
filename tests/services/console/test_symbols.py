"""Adding and removing symbols: what makes no sense is refused before anything is said, and nothing is said twice."""

from pathlib import Path

import pytest

from libs.kit.errors import UserError
from libs.streaming.admin import ensure_topics
from services.console.following import Change, change, known
from tests.services.exchange_simulator.running import running
from tests.services.ingest_stack import venue_settings

CONFIGURED = ("BTCUSDT", "ETHUSDT")


async def test_a_symbol_is_added_once_with_who_and_why_and_the_venue_has_it(empty_kafka: str, tmp_path: Path) -> None:
    await ensure_topics(empty_kafka, 1)
    async with running(tmp_path, symbols=CONFIGURED, listed=("ADAUSDT", "XRPUSDT")) as venue:
        settings = venue_settings(venue.url)
        with pytest.raises(UserError, match="the venue has no symbol XRPUSD: did you mean XRPUSDT"):
            await change(empty_kafka, CONFIGURED, Change(("ADAUSDT", "XRPUSD"), followed=True), settings)
        assert (await known(empty_kafka, CONFIGURED)).words == {}, "all of it or nothing"
        wanted = Change(("BTCUSDT", "XRPUSDT", "XRPUSDT"), followed=True, reason="rally")
        (word,) = await change(empty_kafka, CONFIGURED, wanted, settings)
        assert (word.symbol, word.followed, word.reason) == ("XRPUSDT", True, "rally")
        assert word.changed_by
        assert await change(empty_kafka, CONFIGURED, wanted, settings) == []
    control = await known(empty_kafka, CONFIGURED)
    assert control.in_force == (*CONFIGURED, "XRPUSDT")
    assert control.words == {"XRPUSDT": word}


async def test_a_removal_names_followed_symbols_and_leaves_one(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    with pytest.raises(UserError, match="XRPUSDT is not followed: name one of BTCUSDT, ETHUSDT"):
        await change(empty_kafka, CONFIGURED, Change(("BTCUSDT", "XRPUSDT"), followed=False))
    with pytest.raises(UserError, match="no symbol would be left"):
        await change(empty_kafka, CONFIGURED, Change(CONFIGURED, followed=False))
    assert len(await change(empty_kafka, CONFIGURED, Change(("BTCUSDT",), followed=False))) == 1
    assert (await known(empty_kafka, CONFIGURED)).in_force == ("ETHUSDT",)
