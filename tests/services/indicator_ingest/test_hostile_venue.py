"""A venue that answers nonsense: the poller counts it, says so in the feed's state, and takes the next good value."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from libs.contracts.codec import decode, encode
from libs.contracts.market import FeedStatusChanged, MarketIndicatorObserved
from libs.contracts.topics import INDICATOR
from libs.exchanges import IndicatorValue, Instrument, MarkPrice, StreamBatch, Ticker
from libs.exchanges.errors import MalformedAnswer
from libs.exchanges.mark_prices import MarkPriceSampler
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.kit.errors import BadMessage
from libs.kit.metrics import REGISTRY
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings, load_settings
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.indicator_ingest.facts import Novelty, indicator_event, premium_value
from services.indicator_ingest.mark_prices import MarkPriceFeed
from services.indicator_ingest.outlet import Outlet
from services.indicator_ingest.polling import Poll, Poller, StaleAnswer
from services.indicator_ingest.polls import polls
from services.indicator_ingest.schedules import SCHEDULES
from services.indicator_ingest.settings import IndicatorSettings

NOW = 1_763_712_000_000
YEAR_2099 = 4_070_908_800_000
OPEN_INTEREST = SCHEDULES["open_interest"]


class Kept(OrderedPublisher):
    """Keeps what is put, and proves that every reader could take it."""

    def __init__(self) -> None:
        self.kept: list[Outgoing] = []

    def put(self, item: Outgoing) -> None:
        encoded = encode(item.event)
        decode(encoded.value, dict(encoded.headers))
        self.kept.append(item)

    def values(self) -> list[int]:
        return [item.event.event_time_ms for item in self.kept if isinstance(item.event, MarketIndicatorObserved)]

    def states(self) -> list[str]:
        return [item.event.state for item in self.kept if isinstance(item.event, FeedStatusChanged)]


def outlet() -> tuple[Outlet, Kept]:
    kept = Kept()
    return Outlet(kept, {"BTCUSDT": 0}, Novelty(), "binance", VenueClock(NOW)), kept


def dropped(reason: str, topic: str = INDICATOR.name) -> float:
    return REGISTRY.get_sample_value("perpstream_records_dropped_total", {"topic": topic, "reason": reason}) or 0.0


def value(time: int, number: str = "1.5", symbol: str = "BTCUSDT") -> IndicatorValue:
    return IndicatorValue(symbol=symbol, kind="open_interest", period=None, time=time, values={"open_interest": number})


async def one_round(poller: Poller) -> None:
    await poller._round(["BTCUSDT"], NOW)


@pytest.mark.parametrize(
    "nonsense",
    [
        value(NOW, symbol="ETHUSDT"),
        value(YEAR_2099),
        value(10**30),
        value(-5),
        value(NOW, "NaN"),
        value(NOW, "1e60"),
        value(NOW, "1" * 2_000_000),
        MalformedAnswer("damaged bytes", status=200),
    ],
)
async def test_nonsense_is_a_state_of_the_feed_and_the_next_good_value_passes(
    nonsense: IndicatorValue | MalformedAnswer,
) -> None:
    told = [nonsense, value(NOW)]

    async def ask(_symbol: str, _due: int) -> Sequence[IndicatorValue]:
        answer = told.pop(0)
        if isinstance(answer, MalformedAnswer):
            raise answer
        return [answer]

    places, kept = outlet()
    poller = Poller(Poll(OPEN_INTEREST, ask), places, lambda: None)
    await one_round(poller)
    assert (kept.values(), kept.states()) == ([], ["down"])
    await one_round(poller)
    assert (kept.values(), kept.states()) == ([NOW], ["down", "live"])


async def test_of_a_history_the_believable_values_pass_and_the_others_are_counted() -> None:
    rows = [value(NOW - 5), value(YEAR_2099), value(NOW - 3, "x"), value(NOW - 2, symbol="ETHUSDT"), value(NOW)]

    async def ask(_symbol: str, _due: int) -> Sequence[IndicatorValue]:
        return rows

    places, kept = outlet()
    before = {reason: dropped(reason) for reason in ("absurd_time", "bad_number", "unknown_symbol")}
    await one_round(Poller(Poll(OPEN_INTEREST, ask), places, lambda: None))
    assert kept.values() == [NOW - 5, NOW]
    assert kept.states() == ["live"]
    assert {reason: dropped(reason) - count for reason, count in before.items()} == dict.fromkeys(before, 1.0)
    assert places.novelty.newest(("BTCUSDT", "open_interest", None)) == NOW
    assert places.clock.doubted.is_set(), "whoever keeps the clock looks again"
    places.publish([value(NOW - 3), value(NOW + 1)], OPEN_INTEREST)
    assert kept.values() == [NOW - 5, NOW, NOW + 1]


def test_a_value_that_could_not_be_read_does_not_use_up_its_instant() -> None:
    places, kept = outlet()
    with pytest.raises(BadMessage, match="unusable_answer"):
        places.publish([value(NOW, "x")], OPEN_INTEREST)
    places.publish([value(NOW)], OPEN_INTEREST)
    assert kept.values() == [NOW]


@pytest.mark.parametrize(("ours", "theirs"), [("90000", "1e30"), ("1e-30", "90000"), ("90000", "1e99"), ("nan", "1")])
def test_prices_that_are_worlds_apart_have_no_premium(ours: str, theirs: str) -> None:
    def ticker(price: str) -> Ticker:
        return Ticker(product="x", price=price, time=0)

    with pytest.raises(BadMessage):
        indicator_event(premium_value("BTCUSDT", ticker(theirs), ticker(ours), spot=True, time=NOW), "binance", NOW)


class Spot:
    """Tells one price of one time."""

    def __init__(self, time: int) -> None:
        self._time = time

    async def ticker(self, product: str) -> Ticker:
        return Ticker(product=product, price="90000", time=self._time)


def poll_of(feed: str, **parts: object) -> Poll:
    venue = cast(Venue, SimpleNamespace(clock=VenueClock(NOW), **parts))
    instrument = cast(Instrument, SimpleNamespace(base_asset="BTC"))
    return next(
        poll for poll in polls(venue, {"BTCUSDT": instrument}, load_settings(IndicatorSettings)) if poll.feed == feed
    )


async def premium(coinbase: int, spot: int) -> Sequence[IndicatorValue]:
    """The premium of last trades so long before now (ms)."""
    return await poll_of("coinbase_premium", coinbase=Spot(NOW - coinbase), spot=Spot(NOW - spot)).ask("BTCUSDT", NOW)


async def test_a_trade_of_the_future_is_no_leg_of_a_premium() -> None:
    assert len(await premium(0, 0)) == 1
    for coinbase, spot in ((NOW - YEAR_2099, 0), (0, NOW - YEAR_2099)):
        with pytest.raises(BadMessage, match="absurd_time"):
            await premium(coinbase, spot)


async def test_legs_more_than_five_seconds_apart_or_old_are_no_premium() -> None:
    for coinbase, spot in ((0, 5_000), (5_000, 0), (20_000, 18_000)):
        assert [item.time for item in await premium(coinbase, spot)] == [NOW]
    for coinbase, spot in ((0, 5_001), (5_001, 0), (29_000, 34_000)):
        with pytest.raises(StaleAnswer):
            await premium(coinbase, spot)


async def test_an_answer_too_old_to_be_of_now_makes_the_feed_stale_and_a_current_one_live_again() -> None:
    limit = int(OPEN_INTEREST.stale_seconds * 1000)
    told: list[int | None] = [limit, limit + 1_000, None, 0]

    async def ask(_symbol: str, _due: int) -> Sequence[IndicatorValue]:
        age = told.pop(0)
        if age is None:
            raise StaleAnswer("far apart")
        return [value(NOW - age)]

    places, kept = outlet()
    poller = Poller(Poll(OPEN_INTEREST, ask), places, lambda: None)
    for _ in range(4):
        places.clock.synchronise(NOW)
        await one_round(poller)
    assert kept.states() == ["live", "stale", "stale", "live"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_time": YEAR_2099}, "absurd_time"),
        ({"event_time": -(10**30)}, "absurd_time"),
        ({"next_funding_time": 10**30}, "implausible"),
        ({"mark_price": "-1"}, "implausible"),
        ({"index_price": "1e60"}, "implausible"),
        ({"funding_rate": "1_0"}, "bad_number"),
    ],
)
async def test_an_absurd_mark_price_is_counted_and_the_next_one_passes(change: dict[str, object], reason: str) -> None:
    places, kept = outlet()
    context = ServiceContext("indicator_ingest", ProcessSettings())
    venue = cast(Venue, SimpleNamespace(clock=places.clock))
    feed, before = MarkPriceFeed(context, venue, places, MarkPriceSampler()), dropped(reason, "mark_price")
    feed.reports.join("BTCUSDT")
    fields: dict[str, object] = {
        "symbol": "BTCUSDT",
        "event_time": NOW,
        "mark_price": "1",
        "index_price": "1",
        "estimated_settle_price": None,
        "mark_price_average": None,
        "funding_rate": None,
        "next_funding_time": NOW,
    }
    feed.on_batch(StreamBatch(mark_prices=[MarkPrice(**(fields | change)), MarkPrice(**fields)]))  # type: ignore[arg-type]
    feed.release()
    assert dropped(reason, "mark_price") - before == 1
    assert [item.event.event_time_ms for item in kept.kept if not isinstance(item.event, FeedStatusChanged)] == [NOW]
