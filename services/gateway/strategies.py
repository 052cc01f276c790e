"""The routes that tell which configuration of each strategy counts, and which counted before."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from libs.store.activation_questions import ActivationWord, activation_words
from libs.store.queries import latest_signals
from services.gateway.asking import PLAIN, Shared, Text, kept
from services.gateway.models.strategies import ActivationAnswer, Strategies, StrategyAnswer, StrategyHistory
from services.gateway.problems import NOT_THERE, RESPONSES, NotFound

router = APIRouter(prefix="/api/strategies", responses=RESPONSES, tags=["strategies"])


@router.get("", operation_id="getStrategies", response_model=Strategies)
async def strategies(request: Request, shared: Shared) -> Response:
    """What was said last of each strategy, with its definition."""

    async def found() -> Strategies:
        async with shared.question() as session:
            words = await activation_words(session)
            signals = await latest_signals(session, shared.symbols)
        newest = {signal.strategy: signal.event_time_ms for signal in reversed(signals)}
        last = {word.strategy: word for word in reversed(words)}
        return Strategies(rows=tuple(_strategy(last[name], newest.get(name)) for name in sorted(last)))

    return await kept(request, shared, 1, found)


@router.get(
    "/{strategy}/history", operation_id="getStrategyHistory", response_model=StrategyHistory, responses=NOT_THERE
)
async def history(
    request: Request,
    shared: Shared,
    strategy: Annotated[Text, Path(min_length=1, max_length=80, examples=["v51"])],
    limit: Annotated[int, Query(ge=1, le=500), PLAIN] = 100,
) -> Response:
    """Every word on a strategy with the definition that it carried, newest first."""

    async def found() -> StrategyHistory:
        async with shared.question() as session:
            words = await activation_words(session, strategy, limit)
        if not words:
            raise NotFound(f"nothing was ever said of a strategy {strategy}")
        return StrategyHistory(rows=tuple(map(_word, words)))

    return await kept(request, shared, 1, found)


def _strategy(word: ActivationWord, latest_ms: int | None) -> StrategyAnswer:
    definition = _definition(word)
    threshold, factors = definition.get("threshold"), definition.get("factors")
    return StrategyAnswer(
        strategy=word.strategy,
        version=word.version,
        enabled=word.enabled,
        refuses_all=definition.get("enabled") is False,
        activated_by=word.activated_by,
        recorded_at_ms=word.recorded_ms,
        threshold=threshold if isinstance(threshold, int | float) else None,
        factors=len(factors) if isinstance(factors, list | dict) else None,
        definition=definition,
        latest_signal_ms=latest_ms,
    )


def _word(word: ActivationWord) -> ActivationAnswer:
    return ActivationAnswer(
        event_id=word.event_id,
        strategy=word.strategy,
        version=word.version,
        enabled=word.enabled,
        activated_by=word.activated_by,
        recorded_at_ms=word.recorded_ms,
        definition=_definition(word),
    )


def _definition(word: ActivationWord) -> dict[str, Any]:
    """What is no JSON object was refused by everybody who reads it."""
    try:
        found = json.loads(word.definition)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
