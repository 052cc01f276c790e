"""The plausible events of what people and engines say about configurations; see `tests.golden.samples`."""

import msgspec

from libs.contracts.control import StrategyActivated, StrategyAnswered, SymbolFollowed
from libs.contracts.event import Event
from libs.contracts.identity import digest

MIDNIGHT = 1_723_075_200_000  # 2024-08-08T00:00:00Z
CONTROL_SAMPLES: tuple[Event, ...] = (
    StrategyActivated(
        event_id=digest("strategy", "v51", 1, "1f0c", True),
        event_time_ms=MIDNIGHT - 5_000,
        strategy="v51",
        version=1,
        enabled=True,
        definition=msgspec.Raw(b'{"name":"v51","threshold":60.0,"factors":{"cvd_5m":{"weight":30}}}'),
        activated_by="console",
    ),
    StrategyAnswered(
        event_id=digest("answer", "4b1c", 1, 4_711, False, "bad_strategy"),
        event_time_ms=MIDNIGHT - 5_000,
        strategy="v51",
        version=1,
        activation_id=digest("strategy", "v51", 1, "1f0c", True),
        taken=False,
        partition=1,
        offset=4_711,
        reason="v51: $: unknown factor mine; known are basis",
    ),
    SymbolFollowed(
        event_id="symbol:1", event_time_ms=MIDNIGHT, symbol="SOLUSDT", followed=True, changed_by="ada", reason="why"
    ),
)
