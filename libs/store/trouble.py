"""What went wrong while writing, in the three kinds that a message handler knows: later, never, or a defect."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from libs.kit.errors import BadMessage, TryAgain, UnreachableError

# Complaints about a value, by the server, by the driver, or by our own conversion: no retry can heal them.
_UNSTORABLE = (asyncpg.DataError, ValueError, OverflowError)
_TRANSIENT = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
)


@asynccontextmanager
async def sorted_trouble() -> AsyncIterator[None]:
    """An absent database and passing trouble become `TryAgain`, unstorable values `BadMessage` ("unstorable").

    Everything else, `OffsetConflict` included, passes unchanged.
    """
    try:
        yield
    except UnreachableError as error:
        raise TryAgain(str(error.advice)) from error
    except _TRANSIENT as error:
        raise TryAgain(f"PostgreSQL: {error}") from error
    except _UNSTORABLE as error:
        raise BadMessage("unstorable", str(error)) from error
