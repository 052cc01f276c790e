"""The metric catalogue is a type: a metric that is not listed here cannot be used, and dashboards use only these names."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

MetricName = Literal[
    "perpstream_service_info",
    "perpstream_ready",
    "perpstream_messages_received_total",
    "perpstream_trades_published_total",
    "perpstream_trades_late_total",
    "perpstream_trades_missing_total",
    "perpstream_gaps_total",
    "perpstream_gaps_open",
    "perpstream_completeness_ratio",
    "perpstream_frames_published_total",
    "perpstream_reconnects_total",
    "perpstream_feed_age_seconds",
    "perpstream_history_remaining_seconds",
    "perpstream_request_weight_used",
    "perpstream_request_weight_limit",
    "perpstream_request_weight_remaining",
    "perpstream_request_window_seconds",
    "perpstream_request_blocked_seconds",
    "perpstream_requests_waiting",
    "perpstream_requests_total",
    "perpstream_records_consumed_total",
    "perpstream_records_produced_total",
    "perpstream_records_dropped_total",
    "perpstream_consumer_lag_records",
    "perpstream_dlq_total",
    "perpstream_rebalance_total",
    "perpstream_recovery_seconds",
    "perpstream_rows_written_total",
    "perpstream_rows_conflicting_total",
    "perpstream_evaluations_total",
    "perpstream_signals_total",
    "perpstream_outputs_left_out_total",
    "perpstream_coverage_ratio",
    "perpstream_watermark_age_seconds",
    "perpstream_http_request_seconds",
    "perpstream_stream_clients",
    "perpstream_stream_messages_total",
    "perpstream_simulator_clients",
    "perpstream_producer_buffered_records",
    "perpstream_drift_rows",
    "perpstream_drift_days",
    "perpstream_drift_days_due",
    "perpstream_drift_checked_until_seconds",
    "perpstream_paper_balance",
    "perpstream_paper_open_positions",
    "perpstream_paper_trades_total",
    "perpstream_paper_behind_seconds",
    "perpstream_paper_passed_over_total",
    "perpstream_guard_actions_total",
    "perpstream_guard_level",
    "perpstream_guard_entries_allowed",
    "perpstream_notices_total",
    "perpstream_notices_due",
    "perpstream_notifier_channel_failing",
]
Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One row of the catalogue: what is counted, in which unit, by which labels, and what it means to an operator."""

    name: MetricName
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str


CATALOGUE: tuple[MetricSpec, ...] = (
    MetricSpec(
        "perpstream_service_info",
        "gauge",
        "1",
        ("service", "version"),
        "Always 1; names service and version.",
    ),
    MetricSpec("perpstream_ready", "gauge", "bool", ("service",), "1 while /readyz answers 200."),
    MetricSpec("perpstream_messages_received_total", "counter", "messages", ("feed",), "Venue messages received."),
    MetricSpec("perpstream_trades_published_total", "counter", "trades", ("symbol",), "Aggregate trades published."),
    MetricSpec("perpstream_trades_late_total", "counter", "trades", ("symbol",), "Trades at or below the watermark."),
    MetricSpec(
        "perpstream_trades_missing_total",
        "counter",
        "trades",
        ("symbol",),
        "Aggregate ids published as a hole.",
    ),
    MetricSpec(
        "perpstream_gaps_total",
        "counter",
        "gaps",
        ("symbol", "outcome"),
        "Gaps found (open) and how they ended: filled, never_existed, lost.",
    ),
    MetricSpec("perpstream_gaps_open", "gauge", "gaps", ("symbol",), "Gaps that are being filled."),
    MetricSpec(
        "perpstream_completeness_ratio",
        "gauge",
        "1",
        ("symbol", "span"),
        "Share of the aggregate ids of the last hour (1h) and day (24h) that were published.",
    ),
    MetricSpec("perpstream_frames_published_total", "counter", "frames", ("partition",), "Trade frames acknowledged."),
    MetricSpec(
        "perpstream_reconnects_total",
        "counter",
        "connections",
        ("feed",),
        "Connections opened after the first.",
    ),
    MetricSpec(
        "perpstream_feed_age_seconds",
        "gauge",
        "seconds",
        ("feed", "symbol"),
        "Venue time since the last event.",
    ),
    MetricSpec(
        "perpstream_history_remaining_seconds",
        "gauge",
        "seconds",
        ("feed",),
        "Venue history of slow inputs still to be fetched, over all symbols.",
    ),
    MetricSpec(
        "perpstream_request_weight_used",
        "gauge",
        "weight",
        ("venue", "pool"),
        "Weight in the last window, of all processes of the machine.",
    ),
    MetricSpec(
        "perpstream_request_weight_limit",
        "gauge",
        "weight",
        ("venue", "pool"),
        "The venue's limit a window.",
    ),
    MetricSpec(
        "perpstream_request_weight_remaining",
        "gauge",
        "weight",
        ("venue", "pool"),
        "What we may still ask within our share of it.",
    ),
    MetricSpec(
        "perpstream_request_window_seconds",
        "gauge",
        "seconds",
        ("venue", "pool"),
        "Until nothing of what is spent counts any more.",
    ),
    MetricSpec(
        "perpstream_request_blocked_seconds",
        "gauge",
        "seconds",
        ("venue", "pool"),
        "Until a 429 or a ban ends; 0 without.",
    ),
    MetricSpec(
        "perpstream_requests_waiting",
        "gauge",
        "requests",
        ("venue", "pool", "priority"),
        "Questions of the machine that wait for their turn.",
    ),
    MetricSpec("perpstream_requests_total", "counter", "requests", ("venue", "endpoint", "status"), "REST requests."),
    MetricSpec("perpstream_records_consumed_total", "counter", "records", ("topic",), "Records taken from a topic."),
    MetricSpec(
        "perpstream_records_produced_total",
        "counter",
        "records",
        ("topic",),
        "Records acknowledged by Kafka.",
    ),
    MetricSpec(
        "perpstream_records_dropped_total",
        "counter",
        "records",
        ("topic", "reason"),
        "Records that count for nothing: known duplicates, claims ahead of the timeline.",
    ),
    MetricSpec(
        "perpstream_consumer_lag_records",
        "gauge",
        "records",
        ("topic", "partition"),
        "Log end minus position.",
    ),
    MetricSpec(
        "perpstream_dlq_total",
        "counter",
        "records",
        ("topic", "reason"),
        "Records sent to a dead-letter topic.",
    ),
    MetricSpec("perpstream_rebalance_total", "counter", "rebalances", ("group",), "Partition assignments received."),
    MetricSpec("perpstream_recovery_seconds", "gauge", "seconds", ("service",), "Length of the last state recovery."),
    MetricSpec("perpstream_rows_written_total", "counter", "rows", ("table",), "Rows committed to PostgreSQL."),
    MetricSpec(
        "perpstream_rows_conflicting_total",
        "counter",
        "rows",
        ("table",),
        "Same key, other content: kept aside.",
    ),
    MetricSpec("perpstream_evaluations_total", "counter", "evaluations", ("symbol",), "Evaluations of the kernel."),
    MetricSpec("perpstream_signals_total", "counter", "signals", ("strategy", "state"), "Signals by terminal state."),
    MetricSpec(
        "perpstream_outputs_left_out_total",
        "counter",
        "values",
        ("symbol", "what"),
        "Slow inputs and events that no reader could decode.",
    ),
    MetricSpec("perpstream_coverage_ratio", "gauge", "ratio", ("symbol", "window"), "Known share of a window."),
    MetricSpec("perpstream_watermark_age_seconds", "gauge", "seconds", ("symbol",), "Venue time minus watermark."),
    MetricSpec("perpstream_http_request_seconds", "histogram", "seconds", ("path", "status"), "Gateway request time."),
    MetricSpec("perpstream_stream_clients", "gauge", "connections", (), "Open streams of the gateway."),
    MetricSpec("perpstream_stream_messages_total", "counter", "messages", (), "What the gateway's streams have sent."),
    MetricSpec("perpstream_simulator_clients", "gauge", "connections", ("path",), "Open WebSocket clients."),
    MetricSpec(
        "perpstream_producer_buffered_records",
        "gauge",
        "records",
        ("service",),
        "Sent, not yet acknowledged.",
    ),
    MetricSpec(
        "perpstream_drift_rows",
        "gauge",
        "signals",
        ("outcome",),
        "Signals of the newest checked day, live against its replay: same, differing.",
    ),
    MetricSpec(
        "perpstream_drift_days",
        "gauge",
        "days",
        ("state",),
        "Of the newest seven checked days: agreed, differs, not_comparable.",
    ),
    MetricSpec(
        "perpstream_drift_days_due", "gauge", "days", ("service",), "Days whose drift check is due and not done."
    ),
    MetricSpec(
        "perpstream_drift_checked_until_seconds",
        "gauge",
        "seconds",
        ("service",),
        "End of the newest checked day, since the epoch.",
    ),
    MetricSpec(
        "perpstream_paper_balance",
        "gauge",
        "quote units",
        ("strategy",),
        "What each paper account has realised, with its start.",
    ),
    MetricSpec("perpstream_paper_open_positions", "gauge", "positions", ("strategy",), "Open on paper now."),
    MetricSpec("perpstream_paper_trades_total", "counter", "trades", ("strategy", "reason"), "Closed on paper."),
    MetricSpec(
        "perpstream_paper_behind_seconds",
        "gauge",
        "seconds",
        ("service",),
        "From the accounts' market time to the newest watermark.",
    ),
    MetricSpec(
        "perpstream_paper_passed_over_total",
        "counter",
        "records",
        ("what",),
        "Not used by paper accounts: unreadable, repeated signals, trades and signals from before their time.",
    ),
    MetricSpec(
        "perpstream_guard_actions_total",
        "counter",
        "actions",
        ("action", "outcome"),
        "What the risk guard has done at the venue: stop (placed, unknown, or why not), flatten (done, left).",
    ),
    MetricSpec(
        "perpstream_guard_level",
        "gauge",
        "level",
        ("account",),
        "The risk guard's state: 0 normal, 1 warning, 2 circuit break.",
    ),
    MetricSpec(
        "perpstream_guard_entries_allowed",
        "gauge",
        "boolean",
        ("account",),
        "1 while the risk guard lets the account enter.",
    ),
    MetricSpec(
        "perpstream_notices_total",
        "counter",
        "messages",
        ("channel", "outcome"),
        "Messages to people: written to the outbox, sent, put off, or dead.",
    ),
    MetricSpec("perpstream_notices_due", "gauge", "messages", ("channel",), "Messages that could be sent now."),
    MetricSpec(
        "perpstream_notifier_channel_failing",
        "gauge",
        "boolean",
        ("channel",),
        "1 while a channel does not take messages.",
    ),
)

REGISTRY = CollectorRegistry()
_SPECS: dict[str, MetricSpec] = {spec.name: spec for spec in CATALOGUE}
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300)


def _spec(name: MetricName, kind: Kind) -> MetricSpec:
    spec = _SPECS[name]
    if spec.kind != kind:
        raise TypeError(f"{name} is a {spec.kind}, not a {kind}")
    return spec


@cache
def counter(name: MetricName) -> Counter:
    """The catalogue's counter of that name; `TypeError` if the metric is of another kind."""
    spec = _spec(name, "counter")
    return Counter(spec.name, spec.meaning, spec.labels, registry=REGISTRY)


@cache
def gauge(name: MetricName) -> Gauge:
    """The catalogue's gauge of that name; `TypeError` if the metric is of another kind."""
    spec = _spec(name, "gauge")
    return Gauge(spec.name, spec.meaning, spec.labels, registry=REGISTRY)


@cache
def histogram(name: MetricName) -> Histogram:
    """The catalogue's histogram of that name; `TypeError` if the metric is of another kind."""
    spec = _spec(name, "histogram")
    return Histogram(spec.name, spec.meaning, spec.labels, buckets=_BUCKETS, registry=REGISTRY)
