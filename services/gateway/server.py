"""The route about the installation: services with their lag, pace and memory, the database, the machine, and versions."""

import asyncio
import os
import platform
import shutil
from dataclasses import asdict
from pathlib import Path

import psutil
from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.kit.errors import UserError
from libs.kit.service import VERSION
from libs.store.database_facts import DatabaseFacts, database_facts
from libs.store.engine import QuestionTooSlow
from services.gateway.asking import Shared, kept
from services.gateway.models.server import (
    DatabaseAnswer,
    MachineAnswer,
    Server,
    ServiceAnswer,
    TableSizeAnswer,
)
from services.gateway.problems import RESPONSES
from services.gateway.shared import Gateway
from services.gateway.stack import Seen

CACHE_SECONDS = 5
router = APIRouter(prefix="/api", responses=RESPONSES, tags=["server"])


@router.get("/server", operation_id="getServer", response_model=Server)
async def server(request: Request, shared: Shared) -> Response:
    """What runs, how it is, and how much room there is. Answers without the database, too."""

    async def found() -> Server:
        seen, facts, machine = await asyncio.gather(
            shared.stack.look(), _database(shared), asyncio.to_thread(_machine, shared.stack.state_dir)
        )
        return Server(
            version=VERSION,
            python=platform.python_version(),
            venue=shared.venue,
            symbols=shared.symbols,
            ready=facts is not None and all(one.ready is not False for one in seen),
            kafka_following=shared.live.following,
            services=tuple(map(_service, seen)),
            database=facts,
            machine=machine,
        )

    return await kept(request, shared, CACHE_SECONDS, found)


async def _database(shared: Gateway) -> DatabaseAnswer | None:
    try:
        async with shared.question() as session:
            facts: DatabaseFacts = await database_facts(session)
    except (UserError, QuestionTooSlow):
        return None
    tables = tuple(TableSizeAnswer(**asdict(table)) for table in facts.largest)
    return DatabaseAnswer(
        version=facts.version,
        revision=facts.revision,
        size_bytes=facts.size_bytes,
        connections=facts.connections,
        largest=tables,
    )


def _service(one: Seen) -> ServiceAnswer:
    return ServiceAnswer(**asdict(one))


def _machine(state_dir: Path | None) -> MachineAnswer:
    memory = psutil.virtual_memory()
    folder = state_dir if state_dir is not None and state_dir.exists() else Path("/")
    disk = shutil.disk_usage(folder)
    return MachineAnswer(
        processors=os.cpu_count() or 1,
        load_1m=round(os.getloadavg()[0], 2),
        memory_total_bytes=memory.total,
        memory_available_bytes=memory.available,
        disk_total_bytes=disk.total,
        disk_free_bytes=disk.free,
    )
