"""What has to be in order before anything is entered: one list for the executor, which enters nothing before, and the doctor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from libs.trading.execution.config import LiveConfig
from libs.trading.execution.findings import Finding
from libs.trading.filters import SymbolFilters

CheckState = Literal["passed", "warning", "failed"]
CheckName = Literal[
    "production",
    "clock",
    "trading_allowed",
    "one_way_mode",
    "single_asset_mode",
    "key_rights",
    "filters",
    "terms",
    "reconciliation",
    "prices",
    "strategies",
    "strategies_in_force",
]
CHECKS: dict[CheckName, str] = {
    "production": "in production, the account's owner has enabled it on this machine, by a file beside the key",
    "clock": "the venue's time is known to half a second",
    "trading_allowed": "the venue lets the account trade",
    "one_way_mode": "one position a symbol, not two (hedge mode)",
    "single_asset_mode": "no multi-assets mode",
    "key_rights": "the API key may trade, and neither withdraw nor transfer; use from any address is a warning",
    "filters": "the symbols that may be entered trade, and the venue tells their limits; some that do not are a warning",
    "terms": "leverage and margin type are as configured; what differs while flat is set before the entry, and a warning",
    "reconciliation": "account and books agree, but for what is told and harmless",
    "prices": "the venue that signals come from and the one that orders go to have the same prices, within max_price_gap_bps",
    "strategies": "some strategy may trade; none is a warning",
    "strategies_in_force": "each strategy that may trade is in force; the doctor alone asks, as one that is not sends no signals",
}
"""What each line wants."""
MOST_CLOCK_ERROR_MS = 500
STALE_PRICE_MS = 10_000
TEN_THOUSAND = Decimal(10_000)
StrategyState = Literal["in force", "withdrawn", "disabled", "not in force", "refused", "unanswered"]
"""What became of a strategy that the log has named. `disabled`: in force, and its own file refuses every signal; `refused`: by
the engines, so what they took before stays; `unanswered`: no engine has said yet that it counts."""
IN_FORCE: StrategyState = "in force"
NO_STRATEGY = "no strategy has this name"
WITHDRAWN: StrategyState = "withdrawn"
DISABLED: StrategyState = "disabled"
NEVER_ENTER: frozenset[str] = frozenset((NO_STRATEGY, WITHDRAWN, DISABLED))
"""Of a strategy in such a state no signal ever comes, or each is refused by its own file."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list. `todo`: what a person can do about it; "" where there is nothing to do."""

    name: CheckName
    state: CheckState
    sentence: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Rights:
    """What the API key may do."""

    may_trade: bool
    may_withdraw: bool
    may_transfer: bool
    is_bound_to_addresses: bool


@dataclass(frozen=True, slots=True)
class SymbolFacts:
    """A symbol as the order venue has it; None where it was not told. Prices: the last ones of the venue that signals come from
    and of the one that orders go to, with their ages (ms). `unknown`: what to say where the venue has no such symbol."""

    status: str | None = None
    filters: SymbolFilters | None = None
    leverage: int | None = None
    margin_type: str | None = None
    is_open: bool = False
    data_price: Decimal | None = None
    data_price_age_ms: int | None = None
    order_price: Decimal | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """The account as it was found; None: it could not be read. `clock_error_ms`: our reading of the venue's clock against a fresh
    answer of it. `production_trouble`: why its owner's file does not enable production, None where it does. `findings`: of a
    reconciliation, None before the first. `strategies`: their states by name, None where nobody asked. `unread`:
    why something could not be read, by the check's name."""

    mode: Literal["demo", "production"]
    production_trouble: str | None = None
    clock_error_ms: int | None = None
    may_trade: bool | None = None
    is_hedged: bool | None = None
    is_multi_assets: bool | None = None
    rights: Rights | None = None
    symbols: Mapping[str, SymbolFacts] = field(default_factory=dict)
    findings: tuple[Finding, ...] | None = None
    strategies: Mapping[str, StrategyState] | None = None
    unread: Mapping[CheckName, str] = field(default_factory=dict)


def checklist(facts: AccountFacts, config: LiveConfig) -> tuple[Check, ...]:
    """The whole list, in the order in which a person would mend it. What is not known has failed."""
    return (
        _production(facts),
        _clock(facts),
        _allowed(facts),
        _mode(facts),
        _assets(facts),
        _rights(facts),
        _filters(facts, config),
        _terms(facts, config),
        _reconciliation(facts, config),
        _prices(facts, config),
        _strategies(config),
        *_in_force(facts, config),
    )


def is_in_order(checks: Iterable[Check]) -> bool:
    """Whether entries may be made, as far as the list is concerned."""
    return all(check.state != "failed" for check in checks)


def _unknown(facts: AccountFacts, name: CheckName, what: str) -> Check:
    why = facts.unread.get(name)
    return Check(
        name, "failed", f"{what} is not known" + (f": {why}" if why else ""), "look again when the venue answers"
    )


def _production(facts: AccountFacts) -> Check:
    if facts.mode == "demo":
        return Check("production", "passed", "orders go to a demo environment or a simulator")
    if facts.production_trouble is None:
        return Check("production", "passed", "the account's owner has enabled production on this machine")
    return Check(
        "production",
        "failed",
        f"production is not enabled: {facts.production_trouble}",
        "when all else is in order, its owner writes the account's name into production.enabled beside the key",
    )


def _clock(facts: AccountFacts) -> Check:
    error = facts.clock_error_ms
    if error is None:
        return _unknown(facts, "clock", "the venue's time")
    if abs(error) > MOST_CLOCK_ERROR_MS:
        return Check(
            "clock",
            "failed",
            f"we are {error} ms off the venue's time; {MOST_CLOCK_ERROR_MS} ms are allowed",
            "look at the connection: the time is asked again all the while",
        )
    return Check("clock", "passed", f"the venue's time is known to {abs(error)} ms")


def _allowed(facts: AccountFacts) -> Check:
    if facts.may_trade is None:
        return _unknown(facts, "trading_allowed", "whether the account may trade")
    if not facts.may_trade:
        return Check("trading_allowed", "failed", "the venue does not let this account trade", "ask the venue why")
    return Check("trading_allowed", "passed", "the account may trade")


def _mode(facts: AccountFacts) -> Check:
    if facts.is_hedged is None:
        return _unknown(facts, "one_way_mode", "the position mode")
    if facts.is_hedged:
        return Check(
            "one_way_mode",
            "failed",
            "the account is in hedge mode",
            "set it to one-way mode at the venue, while it is flat",
        )
    return Check("one_way_mode", "passed", "one position a symbol (one-way mode)")


def _assets(facts: AccountFacts) -> Check:
    if facts.is_multi_assets is None:
        return _unknown(facts, "single_asset_mode", "the assets mode")
    if facts.is_multi_assets:
        return Check(
            "single_asset_mode",
            "failed",
            "the account is in multi-assets mode",
            "set it to single-asset mode at the venue",
        )
    return Check("single_asset_mode", "passed", "margin is of one asset (single-asset mode)")


def _rights(facts: AccountFacts) -> Check:
    rights = facts.rights
    if rights is None:
        found = _unknown(facts, "key_rights", "what the API key may do")
        if facts.mode == "demo":
            return Check(
                "key_rights", "warning", found.sentence, "a demo environment need not tell it; production has to"
            )
        return found
    too_much = [word for word, may in (("withdraw", rights.may_withdraw), ("transfer", rights.may_transfer)) if may]
    if too_much:
        return Check(
            "key_rights",
            "failed",
            f"the API key may {' and '.join(too_much)}",
            "make a key that may read and trade only",
        )
    if not rights.may_trade:
        return Check("key_rights", "failed", "the API key may not trade futures", "give it that right at the venue")
    if not rights.is_bound_to_addresses:
        return Check(
            "key_rights", "warning", "the API key may be used from any address", "restrict it to this machine's address"
        )
    return Check("key_rights", "passed", "the API key may read and trade, from its own addresses, and nothing else")


def _meant(facts: AccountFacts, config: LiveConfig) -> list[str]:
    """The symbols that may be entered by what is configured."""
    return sorted(name for name in {*facts.symbols, *config.symbols} if config.may_trade(name))


def _tradable(facts: AccountFacts, config: LiveConfig) -> list[str]:
    """Those of them that can be entered at the venue: what is amiss with the others must not hold up the rest."""
    return [name for name in _meant(facts, config) if not list(_filter_problems(name, facts, config))]


def _joined(problems: list[str]) -> str:
    shown = "; ".join(problems[:3])
    return shown if len(problems) <= 3 else f"{shown}; and {len(problems) - 3} more"


def _filters(facts: AccountFacts, config: LiveConfig) -> Check:
    meant = _meant(facts, config)
    if not meant:
        return Check("filters", "failed", "no symbol may be traded", "name symbols with `perpstream live set`")
    problems = [problem for name in meant for problem in _filter_problems(name, facts, config)]
    if problems:
        state: CheckState = "warning" if _tradable(facts, config) else "failed"
        return Check(
            "filters", state, _joined(problems), "these symbols are not entered; leave them out, or look again later"
        )
    return Check("filters", "passed", f"the venue's limits of {len(meant)} symbols are known, and they trade")


def _filter_problems(name: str, facts: AccountFacts, config: LiveConfig) -> Iterable[str]:
    known = facts.symbols.get(name, SymbolFacts())
    if known.unknown:
        yield known.unknown
    elif known.filters is None:
        yield f"{name}: the venue tells no limits"
    elif known.status != "TRADING":
        yield f"{name} does not trade: {known.status or 'no status'}"
    elif known.filters.min_notional > config.max_notional_of(name):
        yield f"{name}: the least order, {known.filters.min_notional}, is above max_notional"


def _terms(facts: AccountFacts, config: LiveConfig) -> Check:
    failed: list[str] = []
    later: list[str] = []
    for name in _tradable(facts, config):
        known = facts.symbols.get(name, SymbolFacts())
        leverage, margin_type = config.leverage_of(name), config.margin_type_of(name)
        if known.leverage is None or known.margin_type is None:
            failed.append(f"{name}: not known")
            continue
        if known.leverage != leverage:
            risky = known.is_open and known.leverage > leverage
            (failed if risky else later).append(f"{name}: leverage {known.leverage}, configured {leverage}")
        if known.margin_type != margin_type:
            (failed if known.is_open else later).append(f"{name}: {known.margin_type}, configured {margin_type}")
    if failed:
        return Check("terms", "failed", _joined(failed), "close the position, or set it at the venue")
    if later:
        return Check("terms", "warning", _joined(later), "nothing: it is set before the next entry")
    return Check("terms", "passed", "leverage and margin type are as configured")


def _reconciliation(facts: AccountFacts, config: LiveConfig) -> Check:
    if facts.findings is None:
        return _unknown(facts, "reconciliation", "whether the account agrees with the books")
    ignored = config.foreign_policy != "pause"
    told = [f"{one.symbol or 'account'}: {one.name} ({one.detail})" for one in facts.findings]
    stops = [
        text
        for text, one in zip(told, facts.findings, strict=True)
        if one.meaning.keeps_out == "account" or (one.meaning.keeps_out == "policy" and not ignored)
    ]
    if stops:
        return Check("reconciliation", "failed", _joined(stops), "docs/trading.md says what each means")
    if told:
        return Check("reconciliation", "warning", _joined(told), "docs/trading.md says what each means")
    return Check("reconciliation", "passed", "orders, conditional orders and positions agree with the books")


def _prices(facts: AccountFacts, config: LiveConfig) -> Check:
    problems: list[str] = []
    worst = Decimal(0)
    for name in _tradable(facts, config):
        known = facts.symbols.get(name, SymbolFacts())
        gap = price_gap_bps(known)
        if gap is None:
            problems.append(f"{name}: no fresh price of both venues")
        elif gap > config.max_price_gap_bps:
            problems.append(f"{name}: {gap:.1f} bps apart")
        worst = max(worst, gap or Decimal(0))
    if problems:
        return Check(
            "prices", "failed", _joined(problems), "signals and orders need the same market: look at both addresses"
        )
    return Check("prices", "passed", f"prices of signals and orders are at most {worst:.1f} bps apart")


def price_gap_bps(symbol: SymbolFacts) -> Decimal | None:
    """How far the two venues' prices are apart, basis points of the order venue's; None where one is not known, or old."""
    age_ms = symbol.data_price_age_ms
    if symbol.data_price is None or not symbol.order_price or age_ms is None or age_ms > STALE_PRICE_MS:
        return None
    return abs(symbol.data_price / symbol.order_price - 1) * TEN_THOUSAND


def _strategies(config: LiveConfig) -> Check:
    if not config.strategies:
        return Check(
            "strategies",
            "warning",
            "no strategy may trade",
            "`perpstream live set strategies=NAME` lets one, when you want",
        )
    return Check("strategies", "passed", f"may trade: {', '.join(config.strategies)}")


def _in_force(facts: AccountFacts, config: LiveConfig) -> Iterable[Check]:
    """No line where nobody asked, as in the executor: a strategy that is not in force must not hold up the others."""
    if not config.strategies:
        return
    if facts.strategies is None:
        if "strategies_in_force" in facts.unread:
            yield _unknown(facts, "strategies_in_force", "which strategies are in force")
        return
    words = {name: facts.strategies.get(name, NO_STRATEGY) for name in config.strategies}
    never = [f"{name}: {word}" for name, word in words.items() if word in NEVER_ENTER]
    doubtful = [f"{name}: {word}" for name, word in words.items() if word not in (*NEVER_ENTER, IN_FORCE)]
    there_are = ", ".join(sorted(name for name, word in facts.strategies.items() if word == IN_FORCE)) or "none"
    if never:
        yield Check(
            "strategies_in_force",
            "failed",
            f"{_joined(never)}; nothing is entered of that",
            f"`perpstream live set strategies=NAMES` with those in force ({there_are}), or `perpstream strategy activate`",
        )
    elif doubtful:
        todo = "`perpstream strategy list` says why; the engines may hold on to what they took before"
        yield Check("strategies_in_force", "warning", _joined(doubtful), todo)
    else:
        yield Check("strategies_in_force", "passed", f"in force: {', '.join(words)}")
