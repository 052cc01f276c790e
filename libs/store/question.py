"""One question of a person to the database: any statement that only reads."""

from typing import Any

from sqlalchemy.exc import DBAPIError, ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import UserError
from libs.store.engine import QuestionTooSlow, read_session


async def answer(engine: AsyncEngine, statement: str, most_rows: int) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of the columns and the first `most_rows` rows, in a transaction that cannot change anything.

    Raises `UserError` for what the database refuses or what takes too long, `UnreachableError`.
    """
    try:
        async with read_session(engine) as session:
            result = await session.connection.exec_driver_sql(statement)
            return list(result.keys()), [tuple(row) for row in result.fetchmany(most_rows)]
    except (DBAPIError, ResourceClosedError) as error:
        reason = str(getattr(error, "orig", error)).split(": ", 1)[-1]
        raise UserError(f"the database refuses: {reason}", where=statement, todo="correct the statement") from None
    except QuestionTooSlow as error:
        raise UserError(str(error), where=statement, todo="ask for less") from None
