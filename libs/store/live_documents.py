"""The executor's books as they stand, for whoever looks without a lease: open trades as whole documents, and what may trade."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import text

from libs.kit.errors import UserError
from libs.store.engine import Engine, place, read_session
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import Trade

_OPEN = text(
    "SELECT document::text FROM live_trades WHERE account = :account"
    " AND state <> ALL (ARRAY['closed', 'refused', 'not_entered']) ORDER BY recorded_at, trade_id"
)
_ENDED = text(
    "SELECT trade_id FROM live_trades WHERE account = :account AND state = ANY (ARRAY['closed', 'refused', 'not_entered'])"
    " AND recorded_at > now() - make_interval(days => :days)"
)
_CONFIG = text("SELECT document::text FROM live_config WHERE account = :account ORDER BY version DESC LIMIT 1")
ENDED_DAYS = 7


@dataclass(frozen=True, slots=True)
class BooksNow:
    """`trades`: those that are not over; `ended`: ids of those that are, of the last week; `config`: what may trade."""

    trades: tuple[Trade, ...]
    ended: frozenset[str]
    config: LiveConfig


async def books_now(engine: Engine, account: str) -> BooksNow:
    """What the books of an account say. Raises `UnreachableError`, and `UserError` for a document of a newer version."""
    asked = {"account": account}
    async with read_session(engine) as session:
        documents = (await session.connection.execute(_OPEN, asked)).scalars().all()
        ended = (await session.connection.execute(_ENDED, {**asked, "days": ENDED_DAYS})).scalars().all()
        config = (await session.connection.execute(_CONFIG, asked)).scalar()
    try:
        trades = tuple(msgspec.json.decode(document, type=Trade) for document in documents)
        found = LiveConfig.model_validate_json(config) if config is not None else LiveConfig()
    except ValueError as error:
        raise UserError(
            f"the executor's books cannot be read: {error}",
            where=place(engine),
            todo="use the version that wrote them, or a newer one",
        ) from None
    return BooksNow(trades, frozenset(ended), found)
