"""Which account a question is about, and whether those who trade and guard it live."""

from typing import Annotated

from fastapi import Query

from libs.contracts.trading import ExecutorReported, RiskStateChanged
from libs.store.live_questions import leases
from services.gateway.asking import Text
from services.gateway.models.live import HeartbeatAnswer
from services.gateway.newest import HEARTBEAT_MS, Heard
from services.gateway.problems import BadRequest
from services.gateway.shared import Gateway

AccountQuery = Annotated[
    Text | None, Query(max_length=40, examples=["main"], description="Default: the account of this installation")
]


async def known_account(shared: Gateway, asked: str | None) -> str:
    """The account; raises `BadRequest` for one of which nobody has ever heard: a misspelt name would look like one without
    trades."""
    if asked is None or asked == shared.account or asked in shared.words.accounts():
        return asked or shared.account
    async with shared.turn() as engine:
        known = {shared.account, *shared.words.accounts(), *(lease.account for lease in await leases(engine))}
    if asked not in known:
        raise BadRequest(f"{asked} is no account here; known accounts: {', '.join(sorted(known))}")
    return asked


def heartbeat(shared: Gateway, heard: Heard[RiskStateChanged] | Heard[ExecutorReported] | None) -> HeartbeatAnswer:
    """Whether who said this lives."""
    if heard is None:
        return HeartbeatAnswer(heard=False, silent=True, age_ms=None)
    age_ms = heard.age_ms(shared.words.clock.now_ms())
    return HeartbeatAnswer(heard=True, silent=age_ms > HEARTBEAT_MS, age_ms=age_ms)
