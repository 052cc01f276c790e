"""One plausible event of each type that executor, guard and people say."""

import base64
from decimal import Decimal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.contracts.commands import CommandIssued, answered, command_id, signed_bytes
from libs.contracts.event import Event
from libs.contracts.identity import digest, signal_id
from libs.contracts.trading import (
    AlertRaised,
    ExecutorReported,
    LiveTradeChanged,
    OrderChanged,
    PositionChanged,
    RiskStateChanged,
    RuleMeasure,
)
from tests.golden.control_samples import MIDNIGHT

NONCE = "9f0c3a5d7e1b2846a0c4e8f2135b7d96"
HELD = LiveTradeChanged(
    event_id=digest("trade", "main", "t1", "open", "0.020"),
    event_time_ms=MIDNIGHT + 15_150,
    account="main",
    trade_id=signal_id("v51", 1, "BTCUSDT", MIDNIGHT + 15_000),
    strategy="v51",
    symbol="BTCUSDT",
    direction="short",
    state="open",
    reason=None,
    quantity=Decimal("0.020"),
    quantity_left=Decimal("0.020"),
    entry_price=Decimal("55119.9"),
    exit_price=None,
    stop=Decimal("55420.1"),
    take_profit_1=Decimal("54880.0"),
    take_profit_2=Decimal("54640.0"),
    risk_quote=Decimal("6.004"),
    pnl_quote=Decimal("-0.5512"),
    pnl_r=Decimal("-0.0918"),
    slippage_bps=Decimal("0.4"),
    entered_at_ms=MIDNIGHT + 15_120,
    hold_until_ms=MIDNIGHT + 4_215_120,
)


UNSIGNED = CommandIssued(
    event_id=command_id("ada", NONCE),
    event_time_ms=MIDNIGHT + 18_000,
    account="main",
    target="risk_guard",
    command="lock",
    arguments={"symbol": "BTCUSDT", "until_ms": str(MIDNIGHT + 7_218_000)},
    reason="maintenance of the venue",
    issued_by="ada",
    issued_at_ms=MIDNIGHT + 18_000,
    expires_at_ms=MIDNIGHT + 618_000,
    nonce=NONCE,
    signature="",
)
PUBLISHED_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
"""Of the sample only: everybody knows it, nobody trusts it."""
LOCK = msgspec.structs.replace(
    UNSIGNED, signature=base64.b64encode(PUBLISHED_KEY.sign(signed_bytes(UNSIGNED))).decode()
)


TRADING_SAMPLES: tuple[Event, ...] = (
    OrderChanged(
        event_id=digest("order", "c1", "new"),
        event_time_ms=MIDNIGHT + 15_100,
        account="main",
        client_order_id="p1-abcd-efghij-klmnopqrstuv-sl-0",
        trade_id=signal_id("v51", 1, "BTCUSDT", MIDNIGHT + 15_000),
        leg="stop",
        symbol="BTCUSDT",
        side="BUY",
        status="new",
        quantity=None,
        price=None,
        trigger_price=Decimal("55420.1"),
        filled_quantity=Decimal("0"),
        reduce_only=False,
        venue_order_id="8886774",
        reason=None,
    ),
    HELD,
    ExecutorReported(
        event_id=digest("executor", "main", 3, 17),
        event_time_ms=MIDNIGHT + 15_300,
        account="main",
        mode="demo",
        epoch=3,
        entries_allowed=False,
        reasons=("the risk guard allows no entries: daily loss is 6.2 R (warning at 3, break at 6)",),
        reconciled_at_ms=MIDNIGHT + 10_000,
        reconciliation_clean=True,
        config_version=2,
        held=(HELD,),
        orders_last_minute=4,
        heartbeat=17,
    ),
    PositionChanged(
        event_id=digest("position", "main", "BTCUSDT", 1),
        event_time_ms=MIDNIGHT + 15_200,
        account="main",
        symbol="BTCUSDT",
        quantity=Decimal("-0.020"),
        entry_price=Decimal("55119.9"),
        mark_price=Decimal("55118.4"),
        unrealised_pnl=Decimal("0.030"),
        protected=True,
        signal_id=signal_id("v51", 1, "BTCUSDT", MIDNIGHT + 15_000),
    ),
    RiskStateChanged(
        event_id="risk:main:12",
        event_time_ms=MIDNIGHT + 16_000,
        account="main",
        level="warning",
        entries_allowed=False,
        reasons=("BTCUSDT trades are silent",),
        daily_pnl_r=Decimal("-1.5"),
        heartbeat=12,
        break_number=2,
        paused=False,
        locks={"DOGEUSDT": MIDNIGHT + 7_200_000},
        measures=(
            RuleMeasure(
                rule="market_data_age",
                level="break",
                sentence="age of trades of BTCUSDT is 31 s (warning at 5, break at 15)",
                value=Decimal("31"),
                warning=Decimal("5"),
                breach=Decimal("15"),
            ),
        ),
    ),
    AlertRaised(
        event_id=digest("alert", "recorder", "conflict", 1),
        event_time_ms=MIDNIGHT + 17_000,
        severity="critical",
        source="recorder",
        title="Same trade id, other content",
        detail="BTCUSDT 2331590001 was kept aside",
        runbook=None,
    ),
    LOCK,
    answered(
        LOCK,
        "BTCUSDT is locked until 02:00:18 UTC",
        MIDNIGHT + 18_240,
        accepted=True,
        details={"until_ms": str(MIDNIGHT + 7_218_000)},
    ),
)
