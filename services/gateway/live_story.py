"""The route that tells everything of one live trade."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from libs.store.listing import shown
from libs.store.live_questions import LiveOrder, LiveTrade, TradeStory, trade_story, trades_by_prefix
from services.gateway.asking import Shared, Text, kept
from services.gateway.live_accounts import AccountQuery, known_account
from services.gateway.models.live import (
    LiveEventAnswer,
    LiveFillAnswer,
    LiveOrderAnswer,
    LiveTradeAnswer,
    LiveTradeStory,
)
from services.gateway.problems import NOT_THERE, RESPONSES, BadRequest, NotFound

router = APIRouter(prefix="/api/live", responses=RESPONSES | NOT_THERE, tags=["live"])


@router.get("/trades/{trade_id}", operation_id="getLiveTrade", response_model=LiveTradeStory)
async def trade(
    request: Request,
    shared: Shared,
    trade_id: Annotated[Text, Path(min_length=1, max_length=80, examples=["7d1c9f"])],
    account: AccountQuery = None,
) -> Response:
    """A trade by its id, or by the beginning of it: its states, orders, fills and events, in the order of time."""

    async def found() -> LiveTradeStory:
        name = await known_account(shared, account)
        async with shared.turn() as engine:
            candidates = await trades_by_prefix(engine, name, trade_id)
            meant = [row for row in candidates if row.trade_id == trade_id] or candidates
            if not meant:
                raise NotFound(f"account {name} has no trade {trade_id}")
            if len(meant) > 1:
                raise BadRequest(f"{trade_id} is the beginning of {len(meant)} trades: write more of it")
            return told(await trade_story(engine, meant[0]))

    return await kept(request, shared, 1, found)


def told(story: TradeStory) -> LiveTradeStory:
    """The story as programs are told it."""
    account = story.trade.account
    return LiveTradeStory(
        trade=trade_answer(story.trade, history=story.history),
        orders=tuple(_order(account, row) for row in story.orders),
        fills=tuple(LiveFillAnswer(**shown(asdict(row))) for row in story.fills),
        events=tuple(LiveEventAnswer(**shown(asdict(row))) for row in story.events),
    )


def trade_answer(row: LiveTrade, history: list[dict[str, object]] | None) -> LiveTradeAnswer:
    """A row of live trades as programs are told it."""
    values = shown(asdict(row))
    del values["readable_time_ms"]
    return LiveTradeAnswer(**values, history=history)


def _order(account: str, row: LiveOrder) -> LiveOrderAnswer:
    return LiveOrderAnswer(account=account, **shown(asdict(row)))
