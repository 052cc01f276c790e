"""What a person tells the executor: close, move a stop, enter, cancel, reconcile, and change what may trade."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from fastapi import APIRouter
from fastapi.responses import Response

from libs.contracts.trading import LiveTradeChanged
from libs.store.live_questions import config_history
from libs.trading.commands import ChangeConfig, CommandInvalid
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.config_change import changed_config
from libs.trading.execution.config_effect import Effect, Figures, effect_of
from services.gateway.access import Trader, access_of
from services.gateway.asking import Shared
from services.gateway.commands import (
    RESPONSES_OF_COMMANDS,
    AdministratorTells,
    Filling,
    TraderTells,
    carry_out,
    held_trade,
    wish_of,
)
from services.gateway.models.commands import (
    CloseAsked,
    Command,
    CommandState,
    ConfigChange,
    ConfigFigures,
    ConfigPreview,
    EnterAsked,
    MoveStopAsked,
    SettingDifference,
    SymbolAsked,
)
from services.gateway.problems import RESPONSES, SIGNED_IN_RESPONSES, BadRequest
from services.gateway.risk_commands import RAISES_RISK
from services.gateway.shared import Gateway

router = APIRouter(prefix="/api", tags=["commands"], responses=RESPONSES_OF_COMMANDS)
WHOLE = "1"


@router.post("/live/close", operation_id="postClose", response_model=CommandState)
async def close(telling: TraderTells, asked: CloseAsked) -> Response:
    """Close a position at market, in whole or in part. Needs an Idempotency-Key."""
    telling.require_key()
    share = WHOLE if asked.share is None and asked.quantity is None else asked.share
    given = {"symbol": asked.symbol, "share": share, "quantity": asked.quantity, "trade_id": asked.trade_id}
    wish = wish_of(telling, asked, "close", given)

    async def of_trade() -> Filling:
        return _of_trade(held_trade(telling.shared, wish.account, asked.symbol), wish.arguments)

    return await carry_out(telling, wish, of_trade)


@router.post("/live/move-stop", operation_id="postMoveStop", response_model=CommandState)
async def move_stop(telling: TraderTells, asked: MoveStopAsked) -> Response:
    """Replace the stop of a position. Needs the second factor, unless it is moved towards the price and so lowers the risk: then
    the executor is told to refuse it if it would not, as things stand there by then."""
    given = {"symbol": asked.symbol, "price": asked.price, "trade_id": asked.trade_id}
    wish = wish_of(telling, asked, "move_stop", given)

    async def of_trade() -> Filling:
        trade = held_trade(telling.shared, wish.account, asked.symbol)
        if trade is None or not _tightens(trade, asked):
            await access_of(telling.request).require_second_factor(telling.person)
            return _of_trade(trade, wish.arguments)
        filling = _of_trade(trade, wish.arguments)
        return replace(filling, arguments={**filling.arguments, "only_closer": "true"})

    return await carry_out(telling, wish, of_trade)


def _tightens(trade: LiveTradeChanged, asked: MoveStopAsked) -> bool:
    """Whether it lowers what may be lost, by what the executor said last."""
    if trade.stop is None or (asked.trade_id is not None and asked.trade_id != trade.trade_id):
        return False
    moved = Decimal(asked.price) - trade.stop
    return moved >= 0 if trade.direction == "long" else moved <= 0


def _of_trade(trade: LiveTradeChanged | None, arguments: Mapping[str, str]) -> Filling:
    """The trade that stands there now, so that a late command does not meet the next one."""
    if trade is None:
        return Filling()
    before = {"trade_id": trade.trade_id, "quantity_left": trade.quantity_left, "stop": trade.stop}
    return Filling({} if "trade_id" in arguments else {"trade_id": trade.trade_id}, before)


@router.post("/live/enter", operation_id="postEnter", response_model=CommandState, dependencies=RAISES_RISK)
async def enter(telling: TraderTells, asked: EnterAsked) -> Response:
    """Enter at market by hand: sized from the stop and checked like a signal. Needs the second factor and an Idempotency-Key."""
    telling.require_key()
    names = ("symbol", "direction", "stop", "take_profit_1", "take_profit_2", "risk")
    return await carry_out(telling, wish_of(telling, asked, "enter", {name: getattr(asked, name) for name in names}))


@router.post("/live/cancel", operation_id="postCancel", response_model=CommandState)
async def cancel(telling: TraderTells, asked: SymbolAsked) -> Response:
    """Give up an entry that is not filled yet; what is filled stays and is protected."""
    return await carry_out(telling, wish_of(telling, asked, "cancel", {"symbol": asked.symbol}))


@router.post("/positions/sync", operation_id="postPositionsSync", response_model=CommandState)
async def sync(telling: TraderTells, asked: Command) -> Response:
    """Compare the books with the venue now, and tell the differences."""
    return await carry_out(telling, wish_of(telling, asked, "sync", {}))


@router.put("/live/config", operation_id="putLiveConfig", response_model=CommandState, dependencies=RAISES_RISK)
async def change_config(telling: AdministratorTells, asked: ConfigChange) -> Response:
    """Change what may trade and how much, on top of the version that you have seen. Needs the second factor."""
    given = {"base_version": str(asked.base_version), **asked.changes}
    wish = wish_of(telling, asked, "change_config", given)

    async def of_version() -> Filling:
        config = await _config(telling.shared, wish.account)
        effect = _effect(telling.shared, wish.account, config, asked)
        return Filling(before={change.name: change.before for change in effect.changes})

    return await carry_out(telling, wish, of_version)


@router.post(
    "/live/config/preview",
    operation_id="postLiveConfigPreview",
    response_model=ConfigPreview,
    responses={**RESPONSES, **SIGNED_IN_RESPONSES},
)
async def preview(shared: Shared, person: Trader, asked: ConfigChange) -> ConfigPreview:
    """What a change would do, in numbers; it changes nothing."""
    account = asked.account or shared.account
    effect = _effect(shared, account, await _config(shared, account), asked)
    return ConfigPreview(
        account=account,
        base_version=asked.base_version,
        changes=tuple(SettingDifference(name=one.name, before=one.before, after=one.after) for one in effect.changes),
        before=_figures(effect.before),
        after=_figures(effect.after),
        raises_risk=effect.raises_risk,
        held=effect.held,
        over_count=effect.over_count,
        over_notional=effect.over_notional,
    )


async def _config(shared: Gateway, account: str) -> LiveConfig:
    async with shared.turn() as engine:
        versions = await config_history(engine, account, 1)
    return LiveConfig.model_validate(versions[0].document) if versions else LiveConfig()


def _effect(shared: Gateway, account: str, config: LiveConfig, asked: ConfigChange) -> Effect:
    """Raises `BadRequest` for a version that is not the newest, and settings that cannot be."""
    try:
        after = changed_config(config, ChangeConfig(asked.base_version, asked.changes))
    except CommandInvalid as error:
        raise BadRequest(str(error)) from None
    heard = shared.words.executors.get(account)
    return effect_of(config, after, () if heard is None else heard.said.held)


def _figures(figures: Figures) -> ConfigFigures:
    return ConfigFigures(
        most_risk=f"{figures.most_risk:f}",
        most_notional=f"{figures.most_notional:f}",
        most_margin=f"{figures.most_margin:.2f}",
    )
