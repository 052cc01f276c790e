"""What a change of the live configuration does, in numbers: for whoever decides, before it is said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from libs.contracts.trading import LiveTradeChanged
from libs.trading.execution.config import LiveConfig


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that differs, as text."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What a configuration allows at the most, in quote units: all positions open, each as large as its symbol's may be.

    `most_risk`: lost when every stop is met; `most_notional`: held; `most_margin`: bound for it by the leverage.
    """

    most_risk: Decimal
    most_notional: Decimal
    most_margin: Decimal


@dataclass(frozen=True, slots=True)
class Effect:
    """`held`: open now. `over_count`: so many more than the change would allow. `over_notional`: symbols held with more than it
    would allow. Neither is closed by the change: it counts for entries."""

    changes: tuple[SettingChange, ...]
    before: Figures
    after: Figures
    held: int
    over_count: int
    over_notional: tuple[str, ...]

    @property
    def raises_risk(self) -> bool:
        """Whether more may be lost or held than before, or by more strategies or symbols."""
        more = (self.after.most_risk, self.after.most_notional) > (self.before.most_risk, self.before.most_notional)
        return more or any(change.name in ("strategies", "symbols", "blacklist") for change in self.changes)


def effect_of(before: LiveConfig, after: LiveConfig, held: Sequence[LiveTradeChanged]) -> Effect:
    """Compare two versions, with the trades that are open now."""
    large = [trade.symbol for trade in held if _notional(trade) > after.max_notional_of(trade.symbol)]
    return Effect(
        tuple(_changes(before, after)),
        figures(before),
        figures(after),
        len(held),
        max(0, len(held) - after.max_positions),
        tuple(sorted(large)),
    )


def figures(config: LiveConfig) -> Figures:
    """The most that a configuration allows."""
    symbols = _distinct(config)
    count = config.max_positions

    def most(values: Sequence[Decimal]) -> Decimal:
        """Symbols with values of their own can be held once each, those without as often as there is room."""
        own, every = sorted(values[1:], reverse=True), values[0]
        larger = [value for value in own[:count] if value > every or not _others(config)]
        return sum(larger, Decimal(0)) + (every * (count - len(larger)) if _others(config) else Decimal(0))

    return Figures(
        most([config.risk_of(symbol) for symbol in symbols]),
        most([config.max_notional_of(symbol) for symbol in symbols]),
        most([config.max_notional_of(symbol) / config.leverage_of(symbol) for symbol in symbols]),
    )


def _distinct(config: LiveConfig) -> list[str]:
    """No symbol's own values, then each that has some and may be traded."""
    return ["", *(symbol for symbol in config.overrides if config.may_trade(symbol))]


def _others(config: LiveConfig) -> bool:
    """Whether symbols without values of their own may be traded."""
    return not config.symbols or any(config.may_trade(each) for each in config.symbols if each not in config.overrides)


def _notional(trade: LiveTradeChanged) -> Decimal:
    return Decimal(0) if trade.entry_price is None else trade.entry_price * trade.quantity_left


def _changes(before: LiveConfig, after: LiveConfig) -> Iterator[SettingChange]:
    first, second = before.model_dump(mode="json"), after.model_dump(mode="json")
    for name in first:
        if name not in ("version", "overrides") and first[name] != second[name]:
            yield SettingChange(name, _text(first[name]), _text(second[name]))
    for symbol in sorted({*first["overrides"], *second["overrides"]}):
        own, other = (document["overrides"].get(symbol) or {} for document in (first, second))
        for name in sorted({*own, *other}):
            if own.get(name) != other.get(name):
                yield SettingChange(f"overrides.{symbol}.{name}", _text(own.get(name)), _text(other.get(name)))


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
