"""What happens in a run, from its seed alone: signals, what is wrong with the venue, and what is done to our processes."""

import random
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Literal

from libs.contracts.signals import SignalScored
from libs.trading.execution.config import ForeignPolicy
from services.exchange_simulator.faults.plan import FAULT, AnyFault
from tests.chaos.money.market import SYMBOLS, JumpyMarket
from tests.chaos.money.people import Word, deeds_of
from tests.support.signals import emitted

Role = Literal["executor", "second", "guard"]
BlowKind = Literal["kill", "stop", "second", "database", "broker"]
WARM_MS, SIGNALS_UNTIL_MS, CALM_MS, LONGEST_MS = 15_000, 105_000, 130_000, 330_000
STRATEGY = "chaos"
_ORDERS = ("/fapi/v1/order", "/fapi/v1/algoOrder")
_USER_EVENTS = ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE")


@dataclass(frozen=True, slots=True)
class Blow:
    """Something that is done to a process, or to what it stands on, at a moment of the run (ms from its start). A `kill` comes
    `awaits` resumptions of it later; a `stop` and an absence last `for_ms`."""

    at_ms: int
    kind: BlowKind
    role: Role = "executor"
    awaits: int = 0
    for_ms: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """A signal, and when it becomes readable (ms from the run's start)."""

    at_ms: int
    signal: SignalScored


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one run. Faults have their time of the venue in them. `calm_ms`: from then on nothing happens any more; `policy`: what
    is done about strangers' positions, None: another thing in each run."""

    seed: int
    start_ms: int
    signals: tuple[Given, ...]
    faults: tuple[AnyFault, ...]
    blows: tuple[Blow, ...]
    calm_ms: int = CALM_MS
    policy: ForeignPolicy | None = None
    words: tuple[Word, ...] = ()


def plan_of(seed: int, start_ms: int, market: JumpyMarket) -> Plan:
    """The same for the same seed."""
    chance = random.Random(f"{seed}/plan")
    signals = _signals(chance, start_ms, market)
    moments = [given.at_ms for given in signals]
    faults = [_fault(chance, start_ms, moments, market) for _ in range(chance.choice((0, 1, 2, 3, 5, 8)))]
    blows = [_blow(chance, moments) for _ in range(chance.choice((0, 0, 1, 2, 3, 5)))]
    deeds = deeds_of(seed, start_ms, market)
    return Plan(
        seed,
        start_ms,
        tuple(signals),
        (*faults, *deeds.faults),
        tuple(sorted(blows, key=lambda blow: blow.at_ms)),
        words=deeds.words,
    )


# --- signals ----------------------------------------------------------------------------------------------------------


def _signals(chance: random.Random, start_ms: int, market: JumpyMarket) -> list[Given]:
    found: list[Given] = []
    for number in range(chance.randint(2, 7)):
        at_ms = chance.randint(WARM_MS, SIGNALS_UNTIL_MS)
        # Now and then a signal is read long after it was made, or twice.
        late_ms = 60_000 if chance.random() < 0.06 else chance.randint(5, 400)
        signal = signal_of(chance, number, start_ms + at_ms, market)
        found.append(Given(at_ms + late_ms, signal))
        if chance.random() < 0.1:
            found.append(Given(at_ms + late_ms + chance.randint(1, 20_000), signal))
    return sorted(found, key=lambda given: given.at_ms)


def signal_of(chance: random.Random, number: int, now_ms: int, market: JumpyMarket) -> SignalScored:
    """One of that moment, with a stop and two targets at a distance that the market often goes."""
    symbol = chance.choice(SYMBOLS)
    price = market.price(symbol, now_ms)
    is_long = chance.random() < 0.5
    sign = 1 if is_long else -1
    distance = price * Decimal(chance.choice(("0.0015", "0.003", "0.005", "0.008")))
    # A gate's refusal is no order to anybody.
    is_refused = chance.random() < 0.05
    return emitted(
        f"{STRATEGY}-1-{symbol}-{now_ms}-{number}",
        symbol,
        price,
        now_ms,
        sign,
        strategy=STRATEGY,
        state="refused" if is_refused else "emitted",
        reason="cooldown" if is_refused else None,
        atr=distance,
        take_profit_1=price + sign * distance,
        take_profit_2=price + sign * distance * 2,
        stop_loss=price - sign * distance,
        hold_until_ms=now_ms + 50_000,
    )


# --- the venue --------------------------------------------------------------------------------------------------------


def _fault(chance: random.Random, start_ms: int, moments: list[int], market: JumpyMarket) -> AnyFault:
    """Half of them come when a signal does: that is when there is most to be broken."""
    at_ms = chance.randint(WARM_MS, CALM_MS - 25_000)
    if chance.random() < 0.5:
        at_ms = chance.choice(moments) + chance.randint(-300, 1_500)
    at_ms = max(WARM_MS, min(at_ms, CALM_MS - 25_000))
    maker = chance.choice((_wrong_answer, _wrong_answer, _refusal, _lag, _user_stream, _user_stream, _outside, _market))
    fields = maker(chance, market, start_ms + at_ms)
    return FAULT.validate_python({"at_ms": start_ms + at_ms, **fields})


def venue_fault(chance: random.Random, at_ms: int, market: JumpyMarket) -> AnyFault:
    """Something that the venue does to answers, reads and streams, and that is no deed of others."""
    maker = chance.choice((_wrong_answer, _wrong_answer, _refusal, _lag, _user_stream))
    return FAULT.validate_python({"at_ms": at_ms, **maker(chance, market, at_ms)})


def others_fault(chance: random.Random, at_ms: int, market: JumpyMarket) -> AnyFault:
    """Something that others do to the account."""
    return FAULT.validate_python({"at_ms": at_ms, **_outside(chance, market, at_ms)})


def _fate(chance: random.Random) -> dict[str, object]:
    executed = chance.choice(("no", "yes", "yes", "late"))
    return (
        {"executed": executed, "late_ms": chance.randint(50, 3_000)} if executed == "late" else {"executed": executed}
    )


def _extent(chance: random.Random) -> dict[str, object]:
    """A few answers, or all of some seconds; of orders, or of everything."""
    paths = chance.choice((_ORDERS, _ORDERS, ("/fapi/v1/algoOrder",), ("/fapi",)))
    some: dict[str, object] = {"paths": paths, "for_ms": chance.randint(500, 15_000)}
    if chance.random() < 0.7:
        some |= {"most": chance.randint(1, 3), "for_ms": 25_000}
    if chance.random() < 0.3:
        some["methods"] = (chance.choice(("POST", "DELETE", "GET")),)
    return some


def _wrong_answer(chance: random.Random, _market: JumpyMarket, _now_ms: int) -> dict[str, object]:
    """Each of the four 503, of which two say that nothing was done; the others leave it open."""
    kind = chance.choice(
        ("unavailable", "unavailable", "backend_timeout", "connection_reset", "no_answer", "server_error")
    )
    extent = _extent(chance)
    if kind == "unavailable":
        text = chance.choice(("unknown", "unavailable", "internal", "throttled"))
        return {"kind": kind, "text": text, **extent, **(_fate(chance) if text == "unknown" else {})}
    more = {"seconds": chance.choice((1.0, 4.0, 8.0))} if kind == "no_answer" else {}
    return {"kind": kind, **extent, **_fate(chance), **more}


def _refusal(chance: random.Random, _market: JumpyMarket, now_ms: int) -> dict[str, object]:
    kind = chance.choice(("rate_limited", "banned", "stop_refused", "retry", "order_limit"))
    if kind in ("rate_limited", "banned"):
        seconds = chance.randint(1, 6)
        after = {"retry_after_s": seconds} if kind == "rate_limited" else {}
        return {"kind": kind, "for_ms": seconds * 1000, "paths": ("/fapi",), **after}
    some = {"kind": "refusal", "most": chance.randint(1, 5), "for_ms": 20_000, "methods": ("POST",)}
    if kind == "stop_refused":
        said = {"code": -2021, "message": "Order would immediately trigger."}
        return {**some, **said, "paths": ("/fapi/v1/algoOrder",), "where": {"type": "STOP_MARKET"}}
    if kind == "order_limit":
        said = {"code": -1015, "message": "Too many new orders; current limit is 300 orders per 10 SECOND."}
        # As long as the venue's window lasts; nobody may send an order before its end.
        left_ms = 10_000 - now_ms % 10_000
        return {"kind": "refusal", "methods": ("POST",), "paths": _ORDERS, "status": 429, "for_ms": left_ms, **said}
    said = {"code": -1001, "message": "Internal error; unable to process your request. Please try again."}
    return {**some, **said, "status": 503, "paths": _ORDERS}


def _lag(chance: random.Random, _market: JumpyMarket, _now_ms: int) -> dict[str, object]:
    kind = chance.choice(("stale_reads", "stale_reads", "cancel_too_late", "thin_triggers"))
    for_ms = chance.randint(3_000, 20_000)
    match kind:
        case "stale_reads":
            return {"kind": kind, "for_ms": for_ms, "by_ms": chance.randint(200, 2_000)}
        case "cancel_too_late":
            return {"kind": kind, "for_ms": 25_000, "most": chance.randint(1, 3)}
    return {"kind": kind, "for_ms": for_ms, "share": chance.choice(("0", "0.3", "0.7"))}


def _user_stream(chance: random.Random, _market: JumpyMarket, _now_ms: int) -> dict[str, object]:
    kind = chance.choice(
        ("silent", "drop", "duplicate", "reorder", "delay", "late_burst", "disconnect", "half_open", "key")
    )
    for_ms = chance.randint(2_000, 20_000)
    if kind == "key":
        return {"kind": "listen_key_expiry"}
    if kind == "half_open":
        return {"kind": kind, "path": "/private", "connections": chance.choice(("all", "oldest", "newest"))}
    if kind == "disconnect":
        return {"kind": kind, "path": "/private", "for_ms": for_ms}
    which = _USER_EVENTS if chance.random() < 0.6 else (chance.choice(_USER_EVENTS),)
    some: dict[str, object] = {"kind": kind, "streams": which, "for_ms": for_ms}
    if kind in ("drop", "duplicate", "reorder", "delay"):
        some["probability"] = chance.choice((0.2, 0.5, 1.0))
    if kind == "delay":
        some["by_ms"] = chance.randint(100, 6_000)
    return some


def _outside(chance: random.Random, market: JumpyMarket, now_ms: int) -> dict[str, object]:
    """What others do to the account."""
    symbol = chance.choice(SYMBOLS)
    kind = chance.choice(
        ("outside_order", "outside_stop", "outside_cancel", "position_flip", "forced_close", "forced_close", "transfer")
    )
    side = chance.choice(("BUY", "SELL"))
    match kind:
        case "outside_order":
            return {"kind": kind, "symbol": symbol, "side": side, "quantity": _about(market, symbol, now_ms, 300)}
        case "outside_stop":
            away = Decimal("1.02") if side == "BUY" else Decimal("0.98")
            trigger = _on_tick(market, symbol, market.price(symbol, now_ms) * away)
            return {"kind": kind, "symbol": symbol, "side": side, "trigger_price": trigger}
        case "outside_cancel":
            orders, algos = chance.choice(((True, True), (False, True), (True, False)))
            return {"kind": kind, "symbol": symbol, "orders": orders, "algo_orders": algos}
        case "position_flip":
            return {"kind": kind, "symbol": symbol}
        case "transfer":
            return {"kind": kind, "amount": Decimal(chance.choice((-500, 500, 2000)))}
    reason, share = chance.choice(("liquidation", "adl", "adl")), chance.choice(("1", "0.5"))
    return {"kind": kind, "symbol": symbol, "reason": reason, "share": share if reason == "adl" else "1"}


def _market(chance: random.Random, _market: JumpyMarket, _now_ms: int) -> dict[str, object]:
    return {"kind": "halt", "symbols": (chance.choice(SYMBOLS),), "for_ms": chance.randint(3_000, 15_000)}


def _about(market: JumpyMarket, symbol: str, now_ms: int, quote: int) -> Decimal:
    step = Decimal(1).scaleb(-market.rules[symbol].quantity_decimals) * market.rules[symbol].step
    return (Decimal(quote) / market.price(symbol, now_ms)) // step * step


def _on_tick(market: JumpyMarket, symbol: str, price: Decimal) -> Decimal:
    rules = market.rules[symbol]
    tick = Decimal(rules.tick).scaleb(-rules.price_decimals)
    return (price / tick).quantize(Decimal(1), ROUND_DOWN) * tick


# --- our own processes ------------------------------------------------------------------------------------------------


def _blow(chance: random.Random, moments: list[int]) -> Blow:
    at_ms = chance.randint(WARM_MS, CALM_MS - 25_000)
    if chance.random() < 0.6:
        at_ms = chance.choice(moments) + chance.randint(-100, 1_500)
    at_ms = max(0, min(at_ms, CALM_MS - 25_000))
    role: Role = chance.choice(("executor", "executor", "executor", "guard"))
    kind: BlowKind = chance.choice(("kill", "kill", "kill", "kill", "stop", "stop", "second", "database", "broker"))
    match kind:
        case "kill":
            return Blow(at_ms, kind, role, awaits=chance.choice((1, chance.randint(1, 20), chance.randint(1, 150))))
        case "stop":
            return Blow(at_ms, kind, role, for_ms=chance.choice((500, 3_000, 9_000, 12_000, 25_000)))
        case "second":
            return Blow(at_ms, kind)
    return Blow(at_ms, kind, for_ms=chance.choice((1_000, 6_000, 20_000)))
