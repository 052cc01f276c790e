"""REST and stream have one vocabulary: the same thing has the same name, and is written in the same way, in both."""

import json
from collections.abc import Mapping
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel, TypeAdapter

from libs.contracts.market import AggTradeFrame
from services.gateway.models.commands import CommandState
from services.gateway.models.feeds import FeedAnswer, GapAnswer
from services.gateway.models.live import LiveOrderAnswer, LivePosition, LiveSummary, LiveTradeAnswer
from services.gateway.models.market import FeatureAnswer, ForcedOrderAnswer, RateAnswer
from services.gateway.models.paper import PaperTradeAnswer
from services.gateway.models.risk import RiskOfAccount
from services.gateway.models.signals import GateAnswer, SignalAnswer, SignalStory
from services.gateway.models.trades import SummaryRow, TradesOfSymbol
from services.gateway.stream_bars import Bars
from services.gateway.stream_facts import SHAPES, fact_of, text_of
from services.gateway.stream_messages import ChannelName
from tests.golden.samples import EVENTS

ANSWERS: Mapping[ChannelName, tuple[type[BaseModel], ...]] = {
    "prices": (RateAnswer,),
    "trades": (SummaryRow, TradesOfSymbol),
    "liquidations": (ForcedOrderAnswer,),
    "indicators": (FeatureAnswer,),
    "signals": (SignalAnswer, SignalStory, GateAnswer),
    "paper": (PaperTradeAnswer,),
    "orders": (LiveOrderAnswer,),
    "live": (LiveTradeAnswer,),
    "positions": (LivePosition,),
    "executor": (LiveSummary,),
    "risk": (RiskOfAccount,),
    "feeds": (FeedAnswer,),
    "gaps": (GapAnswer,),
    "commands": (CommandState,),
}
"""What REST says of what a channel is about. Alerts and `status` are the stream's alone."""
ALONE: Mapping[str, frozenset[str]] = {
    "trades": frozenset(("partial", "last_quantity", "last_side")),
    "indicators": frozenset(("large_buy_p95", "large_sell_p95", "large_buy_p99", "large_sell_p99", "size_coverage")),
    "signals": frozenset(("take_profit_type", "on_opposite_signal", "working_type", "trailing_distance")),
    "paper": frozenset(("fill_price", "fill_quantity")),
    "positions": frozenset(("signal_id",)),
    "executor": frozenset(("epoch", "held", "orders_last_minute")),
}
"""What REST has no figure for: a name here must mean something that no answer of the channel's models has."""
OF_THE_EVENT = frozenset(("event_id", "event_time_ms"))


def _types(channel: ChannelName) -> dict[str, Any]:
    return {
        name: hint
        for model in reversed(ANSWERS[channel])
        for name, hint in get_type_hints(model, include_extras=True).items()
        if name in model.model_fields
    }


def _items(channel: ChannelName) -> list[dict[str, Any]]:
    if channel == "trades":
        frames = (event for event in EVENTS if isinstance(event, AggTradeFrame))
        return [json.loads(text_of(bar)) for frame in frames for bar in Bars().take(frame)]
    facts = (fact_of(event) for event in EVENTS)
    return [json.loads(fact.item.text) for fact in facts if fact is not None and fact.channel == channel]


@pytest.mark.parametrize("channel", ANSWERS)
def test_what_the_stream_says_has_the_name_and_the_form_that_rest_gives_it(channel: ChannelName) -> None:
    types = _types(channel)
    names = set(SHAPES[channel].__struct_fields__)
    assert names - set(types) - OF_THE_EVENT == ALONE.get(channel, frozenset())
    items = _items(channel)
    assert items
    for item in items:
        for name in sorted(set(item) & set(types)):
            form: TypeAdapter[Any] = TypeAdapter(types[name])
            read = form.validate_json(json.dumps(item[name]))
            assert json.loads(form.dump_json(read)) == item[name], name


def test_every_channel_is_compared() -> None:
    assert set(SHAPES) - set(ANSWERS) == {"alerts", "status"}


def test_what_is_held_is_told_as_live_trades_are() -> None:
    held = [trade for item in _items("executor") for trade in item["held"]]
    assert held
    assert {frozenset(trade) for trade in held} == {frozenset(SHAPES["live"].__struct_fields__)}
