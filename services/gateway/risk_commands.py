"""What a person tells the risk guard: pause, resume, flatten, lock, unlock, reset."""

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from services.gateway.access import second_factor
from services.gateway.commands import RESPONSES_OF_COMMANDS, Filling, TraderTells, carry_out, require_typed, wish_of
from services.gateway.models.commands import Command as Plain
from services.gateway.models.commands import (
    CommandState,
    FlattenAsked,
    LockAsked,
    PauseAsked,
    ResetAsked,
    SymbolAsked,
)

router = APIRouter(prefix="/api/risk", tags=["commands"], responses=RESPONSES_OF_COMMANDS)
RAISES_RISK = [Depends(second_factor)]


@router.post("/pause", operation_id="postPause", response_model=CommandState)
async def pause(telling: TraderTells, asked: PauseAsked) -> Response:
    """Allow no entries until a resume; stops, targets and exits go on."""
    require_typed(asked.confirmation, "pause")
    return await carry_out(telling, wish_of(telling, asked, "pause", {}))


@router.post("/resume", operation_id="postResume", response_model=CommandState, dependencies=RAISES_RISK)
async def resume(telling: TraderTells, asked: Plain) -> Response:
    """End a pause, and give up a flatten that is not done. Needs the second factor."""
    return await carry_out(telling, wish_of(telling, asked, "resume", {}))


@router.post("/flatten", operation_id="postFlatten", response_model=CommandState)
async def flatten(telling: TraderTells, asked: FlattenAsked) -> Response:
    """Close at market what is held, and cancel what would open there."""
    require_typed(asked.confirmation, f"flatten {asked.symbol}")
    return await carry_out(telling, wish_of(telling, asked, "flatten", {"symbol": asked.symbol}))


@router.post("/lock", operation_id="postLock", response_model=CommandState)
async def lock(telling: TraderTells, asked: LockAsked) -> Response:
    """Allow no entries in a symbol for a while; what is held there goes on."""

    async def until() -> Filling:
        return Filling({"until_ms": str(int(telling.issuer.now() * 1000) + asked.seconds * 1000)})

    return await carry_out(telling, wish_of(telling, asked, "lock", {"symbol": asked.symbol}), until)


@router.post("/unlock", operation_id="postUnlock", response_model=CommandState, dependencies=RAISES_RISK)
async def unlock(telling: TraderTells, asked: SymbolAsked) -> Response:
    """Allow entries in a symbol again. Needs the second factor."""
    return await carry_out(telling, wish_of(telling, asked, "unlock", {"symbol": asked.symbol}))


@router.post("/reset", operation_id="postReset", response_model=CommandState, dependencies=RAISES_RISK)
async def reset(telling: TraderTells, asked: ResetAsked) -> Response:
    """End the circuit break of this number; a rule that still breaks breaks again at once. Needs the second factor."""
    return await carry_out(telling, wish_of(telling, asked, "reset", {"break_number": str(asked.break_number)}))
