"""What the API says of scored signals, with examples."""

from typing import Any, Literal

from pydantic import Field

from services.gateway.models.base import Answer, Money
from services.gateway.models.live import LiveTradeAnswer, LiveTradeState
from services.gateway.models.paper import PaperTradeAnswer, PaperTradeState


class SignalOutcomeAnswer(Answer):
    """A trade that a signal led to on paper or on an account, or why it led to none. `net` and `net_r`: realised so far."""

    books: Literal["paper", "live"] = Field(examples=["paper"])
    account: str | None = Field(examples=[None], description="Null: on paper")
    trade_id: str = Field(examples=["7d1c9f"])
    state: PaperTradeState | LiveTradeState = Field(examples=["closed"])
    reason: str | None = Field(examples=["take_profit_2"], description="Of the exit, or why it was not entered")
    net: Money | None = Field(examples=["72.55"], description="Null: it was never entered")
    net_r: float | None = Field(examples=[0.7255])


class SignalAnswer(Answer):
    """One scored evaluation in its terminal state, with everything that led to it in `content`."""

    event_id: str = Field(examples=["5b0c0f5e0a7c4f0e8d21"])
    strategy: str = Field(examples=["v51"])
    version: int = Field(examples=[1])
    symbol: str = Field(examples=["BTCUSDT"])
    event_time_ms: int = Field(examples=[1_723_075_215_000])
    score: float = Field(examples=[81.5])
    threshold: float = Field(examples=[75.0])
    direction: str = Field(examples=["long"])
    state: str = Field(examples=["emitted"])
    reason: str | None = Field(examples=[None])
    sentence: str = Field(examples=["long: CVD rises in all three windows, price above VWAP"])
    price: Money = Field(examples=["60000.10"])
    atr: Money | None = Field(examples=["120.5"])
    take_profit_1: Money | None = Field(examples=["60090.47"])
    take_profit_2: Money | None = Field(examples=["60180.85"])
    stop_loss: Money | None = Field(examples=["59909.73"])
    hold_until_ms: int | None = Field(examples=[1_723_079_415_000])
    content: dict[str, Any] = Field(examples=[{"contributions": [{"factor": "cvd", "contribution": 31.5}]}])
    outcomes: tuple[SignalOutcomeAnswer, ...] = Field(description="What became of it, on accounts and on paper")


class SignalPage(Answer):
    """Signals, newest first; `next_cursor` fetches the following page and is null on the last."""

    signals: tuple[SignalAnswer, ...]
    next_cursor: str | None = Field(examples=["MTcyMzA3NTIxNTAwMDo1YjBjMGY1ZQ"])


class LatestSignals(Answer):
    """The newest of each strategy and symbol, newest first."""

    signals: tuple[SignalAnswer, ...]


class GateAnswer(Answer):
    """Whether the evaluation became a signal, and what held it back."""

    passed: bool = Field(examples=[False])
    reason: str | None = Field(examples=["cooldown"])
    score: float = Field(examples=[78.0])
    threshold: float = Field(examples=[75.0])
    ungated_score: float | None = Field(
        examples=[None], description="What the score would have been without the gate that kept it below the threshold"
    )


class ConfigurationAnswer(Answer):
    """The configuration that counted, with its first place in the timeline of the symbol."""

    activated_by: str = Field(examples=["perpstream up"])
    recorded_at_ms: int = Field(examples=[1_723_075_200_000])
    watermark_ms: int | None = Field(examples=[1_723_075_199_000], description="Null: the symbol had none yet")
    definition: dict[str, Any] = Field(examples=[{"name": "v51", "version": 1, "threshold": 75}])


class SignalStory(Answer):
    """A signal explained: the event as it was (`signal`), its parts for reading, the evaluation that it was made from, the
    configuration that counted, the signals around it, and the trades that it led to."""

    event_id: str = Field(examples=["5b0c0f5e0a7c4f0e8d21"])
    strategy: str = Field(examples=["v51"])
    version: int = Field(examples=[1])
    symbol: str = Field(examples=["BTCUSDT"])
    event_time_ms: int = Field(examples=[1_723_075_215_000])
    sentence: str = Field(examples=["long: CVD rises in all three windows, price above VWAP"])
    signal: dict[str, Any] = Field(examples=[{"event_id": "5b0c0f5e0a7c4f0e8d21", "score": 81.5, "state": "emitted"}])
    contributions: tuple[dict[str, Any], ...] = Field(
        examples=[[{"factor": "cvd", "value": 0.9, "weight": 0.35, "contribution": 0.315}]]
    )
    inputs: dict[str, Any] = Field(examples=[{"cvd_5m": "12.5", "open_interest": "81234.5"}])
    coverage: dict[str, float] = Field(examples=[{"5m": 1.0, "4h": 0.82}])
    gate: GateAnswer
    evaluation: dict[str, Any] | None = Field(examples=[{"price": "60000.10", "slow_inputs": []}])
    configuration: ConfigurationAnswer | None
    before_id: str | None = Field(examples=["5b0c0f5e0a7c4f0e8d20"], description="Of the same strategy and symbol")
    after_id: str | None = Field(examples=[None])
    paper_trades: tuple[PaperTradeAnswer, ...]
    live_trades: tuple[LiveTradeAnswer, ...] = Field(description="Of every account")
