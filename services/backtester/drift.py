"""Drift: the signals that were published live against those of a replay of the same data, row by row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import msgspec

from libs.contracts.codec import encode_value
from libs.contracts.identity import digest
from libs.contracts.signals import SignalScored
from libs.contracts.trading import AlertRaised
from libs.store.drift_checks import CheckState

SCHEMA = "backtest_drift/1"
State = Literal["only_live", "only_replay", "other_content"]
MOST_FIELDS = 20
RUNBOOK = "docs/operating.md#drift"


class Verdict(NamedTuple):
    """What a state is for a shell, a log, and whoever is alerted; `severity` is None where nobody is."""

    exit_code: int
    log_level: Literal["info", "warning", "error"]
    severity: Literal["warning", "critical"] | None = None
    title: str = ""


VERDICTS: Mapping[CheckState, Verdict] = {
    "agreed": Verdict(0, "info"),
    "differs": Verdict(1, "error", "critical", "Live signals differ from the replay of the same data"),
    "not_comparable": Verdict(5, "warning", "warning", "Live signals could not be compared with a replay"),
}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One signal that is not the same in both; `fields` differ, by dotted path, with the live and the replayed value."""

    state: State
    signal_id: str
    strategy: str
    version: int
    symbol: str
    time_ms: int
    fields: tuple[tuple[str, str, str], ...] = ()

    def json(self) -> str:
        """As it stands in drift.json."""
        return msgspec.json.encode(self).decode()


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of a range [start, end) (ms); `differences` in order of time, symbol and strategy.

    `reason`: what differs, or why nothing could be compared, or which part was; one line. `evaluations`: of the live engine.
    """

    schema: str
    start_ms: int
    end_ms: int
    same: int
    differences: tuple[Difference, ...]
    state: CheckState = "agreed"
    reason: str = ""
    evaluations: int = 0

    @property
    def compared(self) -> int:
        """How many signals were looked at, each once."""
        return self.same + len(self.differences)

    def counts(self) -> dict[str, int]:
        """How many signals differ in which way."""
        return {state: sum(each.state == state for each in self.differences) for state in get_args(State)}


def compare_signals(live: Sequence[SignalScored], replayed: Sequence[SignalScored], span: tuple[int, int]) -> Drift:
    """Each signal once, by its id. A pure function."""
    ours = {signal.event_id: signal for signal in live}
    theirs = {signal.event_id: signal for signal in replayed}
    found = [_missing("only_live", ours[name]) for name in ours.keys() - theirs.keys()]
    found += [_missing("only_replay", theirs[name]) for name in theirs.keys() - ours.keys()]
    same = 0
    for name in ours.keys() & theirs.keys():
        fields = differing_fields(ours[name], theirs[name])
        if fields:
            found.append(msgspec.structs.replace(_missing("other_content", ours[name]), fields=fields))
        else:
            same += 1
    found.sort(key=lambda each: (each.time_ms, each.symbol, each.strategy, each.version, each.state))
    drift = Drift(schema=SCHEMA, start_ms=span[0], end_ms=span[1], same=same, differences=tuple(found))
    return msgspec.structs.replace(drift, state="differs", reason=_said(drift)) if found else drift


def not_comparable(reason: str, span: tuple[int, int], evaluations: int = 0) -> Drift:
    """A range of which nothing can be said, and why."""
    return Drift(
        schema=SCHEMA,
        start_ms=span[0],
        end_ms=span[1],
        same=0,
        differences=(),
        state="not_comparable",
        reason=reason,
        evaluations=evaluations,
    )


def differing_fields(one: SignalScored, other: SignalScored) -> tuple[tuple[str, str, str], ...]:
    """What differs as it would be published: dotted paths with both values, the first twenty; () when the bytes are equal."""
    first, second = encode_value(one), encode_value(other)
    if first == second:
        return ()
    ours, theirs = _flat(msgspec.json.decode(first)), _flat(msgspec.json.decode(second))
    paths = sorted(path for path in ours.keys() | theirs.keys() if ours.get(path, "–") != theirs.get(path, "–"))
    return tuple((path, ours.get(path, "–"), theirs.get(path, "–")) for path in paths[:MOST_FIELDS])


def _flat(value: object, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        pairs = [(str(name), inner) for name, inner in value.items()]
    elif isinstance(value, list):
        pairs = [(str(place), inner) for place, inner in enumerate(value)]
    else:
        return {path: msgspec.json.encode(value).decode()}
    found: dict[str, str] = {}
    for name, inner in pairs:
        found |= _flat(inner, f"{path}.{name}" if path else name)
    return found


def _missing(state: State, signal: SignalScored) -> Difference:
    return Difference(
        state=state,
        signal_id=signal.event_id,
        strategy=signal.strategy,
        version=signal.version,
        symbol=signal.symbol,
        time_ms=signal.event_time_ms,
    )


def metric_lines(drift: Drift, now_s: float) -> str:
    """The comparison for the node exporter's textfile collector (Prometheus text format)."""
    name = "perpstream_backtest_drift_signals"
    counts = drift.counts() | {"same": drift.same}
    lines = [f"# HELP {name} Signals of the last drift check by how live and replay agree.", f"# TYPE {name} gauge"]
    lines += [f'{name}{{state="{state}"}} {count}' for state, count in counts.items()]
    told = "perpstream_backtest_drift_state"
    lines += [f"# HELP {told} 1 for what the last drift check found.", f"# TYPE {told} gauge"]
    lines += [f'{told}{{state="{state}"}} {int(state == drift.state)}' for state in get_args(CheckState)]
    when = "perpstream_backtest_drift_checked_timestamp_seconds"
    lines += [f"# HELP {when} When the last drift check ended.", f"# TYPE {when} gauge", f"{when} {now_s:.0f}"]
    return "\n".join(lines) + "\n"


def _said(drift: Drift) -> str:
    words = {"only_live": "only live", "only_replay": "only in the replay", "other_content": "with other content"}
    counts = ", ".join(f"{count} {words[state]}" for state, count in drift.counts().items())
    first = drift.differences[0]
    return f"{counts}; {drift.same} are the same. The first: {first.strategy} {first.symbol} at {first.time_ms}"


def alert(state: CheckState, reason: str, span: tuple[int, int]) -> AlertRaised | None:
    """The alert that a result deserves, in the shape of `ops.alert.v1`; None when live and replay agree.

    The same result gives the same id, so that a restart tells nobody twice.
    """
    verdict = VERDICTS[state]
    if verdict.severity is None:
        return None
    return AlertRaised(
        event_id=digest("drift", *span, state, reason.replace("|", "/")),
        event_time_ms=span[1],
        severity=verdict.severity,
        source="backtester",
        title=verdict.title,
        detail=reason,
        runbook=RUNBOOK,
    )


def write_drift(drift: Drift, folder: Path, now_s: float) -> None:
    """drift.json, drift.prom, and alert.json when there is something to say; an older alert goes away."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "drift.json", msgspec.json.format(msgspec.json.encode(drift), indent=1) + b"\n")
    _replace(folder / "drift.prom", metric_lines(drift, now_s).encode())
    raised = alert(drift.state, drift.reason, (drift.start_ms, drift.end_ms))
    if raised is None:
        (folder / "alert.json").unlink(missing_ok=True)
    else:
        _replace(folder / "alert.json", encode_value(raised) + b"\n")


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
