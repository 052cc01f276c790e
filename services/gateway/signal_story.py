"""The route that explains one signal: what went into it, what each factor gave, which gate held, and what became of it."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from libs.store.engine import ReadSession
from libs.store.listing import LIVE_TRADES, PAPER_TRADES, Wanted, listed
from libs.store.signal_story import StoredConfiguration, configuration_of, evaluation_of, neighbours, signals_beginning
from services.gateway.asking import Shared, kept
from services.gateway.models.live import LiveTradeAnswer
from services.gateway.models.paper import PaperTradeAnswer
from services.gateway.models.signals import ConfigurationAnswer, GateAnswer, SignalStory
from services.gateway.problems import NOT_THERE, RESPONSES, BadRequest, NotFound

_MOST_TRADES = 100
router = APIRouter(prefix="/api/signals", responses=RESPONSES | NOT_THERE, tags=["signals"])


@router.get("/{signal_id}", operation_id="getSignal", response_model=SignalStory)
async def signal(
    request: Request,
    shared: Shared,
    signal_id: Annotated[str, Path(pattern="^[0-9a-zA-Z_-]{1,80}$", examples=["5b0c0f5e0a7c4f0e8d21"])],
) -> Response:
    """A signal by its id, or by the beginning of it, with everything that explains it and the trades that it led to."""

    async def found() -> SignalStory:
        async with shared.question() as session:
            return await _story(session, await _named(session, signal_id))

    return await kept(request, shared, 1, found)


async def _named(session: ReadSession, signal_id: str) -> dict[str, Any]:
    candidates = await signals_beginning(session, signal_id, 2)
    meant = [row for row in candidates if row["event_id"] == signal_id] or candidates
    if not meant:
        raise NotFound(f"there is no signal {signal_id}")
    if len(meant) > 1:
        raise BadRequest(f"{signal_id} is the beginning of several signals: write more of it")
    return meant[0]


async def _story(session: ReadSession, content: dict[str, Any]) -> SignalStory:
    before, after = await neighbours(session, content)
    configuration = await configuration_of(session, content)
    wanted = Wanted({"signal_id": content["event_id"]}, most=_MOST_TRADES)
    return SignalStory(
        event_id=content["event_id"],
        strategy=content["strategy"],
        version=content["version"],
        symbol=content["symbol"],
        event_time_ms=content["event_time_ms"],
        sentence=content["sentence"],
        signal=content,
        contributions=tuple(content.get("contributions") or ()),
        inputs=content.get("inputs") or {},
        coverage=content.get("coverage") or {},
        gate=GateAnswer(
            passed=content["state"] == "emitted",
            reason=content.get("reason"),
            score=content["score"],
            threshold=content["threshold"],
            ungated_score=content.get("ungated_score"),
        ),
        evaluation=await evaluation_of(session, content["symbol"], content["event_time_ms"]),
        configuration=None if configuration is None else _configuration(configuration),
        before_id=None if before is None else before["event_id"],
        after_id=None if after is None else after["event_id"],
        paper_trades=tuple(PaperTradeAnswer(**row.values) for row in await listed(session, PAPER_TRADES, wanted)),
        live_trades=tuple(LiveTradeAnswer(**row.values) for row in await listed(session, LIVE_TRADES, wanted)),
    )


def _configuration(stored: StoredConfiguration) -> ConfigurationAnswer:
    return ConfigurationAnswer(
        activated_by=stored.activated_by,
        recorded_at_ms=stored.recorded_ms,
        watermark_ms=stored.watermark_ms,
        definition=json.loads(stored.definition),
    )
