"""What paper and a venue have in common: books, identity, and topics that come and go without anybody waiting for them."""

import asyncio
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.contracts.event import Event
from libs.contracts.topics import COMMAND, RISK_STATE, SIGNAL_SCORED
from libs.contracts.trading import RiskStateChanged
from libs.kit.errors import UnreachableError, UserError
from libs.kit.keys import TrustedFolder
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import AccountSettings, CommandKeySettings, KafkaSettings, VenueSettings
from libs.store.engine import Engine
from libs.streaming.deadletter import DeadLetters
from libs.streaming.producer import EventProducer
from libs.trading.execution.books import Place
from services.executor.intake import Came, Intake, Route
from services.executor.outlet import KafkaOutlet
from services.executor.pages import Pages

NAME = "executor"
LEASE, BOOKS, VENUE, COMPARED, STATEMENT, TOPICS = (
    "the account's lease",
    "the books can be written",
    "venue",
    "books and venue were compared",
    "the statement was read",
    "topics",
)
_LOOK_SECONDS = 0.5
_LOGGER = get_logger(NAME)


@dataclass(frozen=True, slots=True)
class Settings:
    """All groups of this service."""

    kafka: KafkaSettings
    account: AccountSettings
    venue: VenueSettings
    keys: CommandKeySettings
    symbols: Sequence[str]
    installation: str


@dataclass(frozen=True, slots=True)
class Wiring:
    """One run of the service. `retry_seconds`: so long after a broker did not answer it is asked again."""

    context: ServiceContext
    settings: Settings
    engine: Engine
    outlet: KafkaOutlet
    retry_seconds: float = 2.0

    @property
    def trusted(self) -> TrustedFolder:
        """Whose commands count."""
        return TrustedFolder(self.settings.keys.command_keys)


class Taking(Protocol):
    """An executor, on paper or at a venue."""

    @property
    def compared(self) -> asyncio.Event: ...
    @property
    def ready(self) -> asyncio.Event: ...
    @property
    def pages(self) -> Pages: ...
    @property
    def offsets(self) -> Mapping[Place, int]: ...
    async def on_signals(self, records: Sequence[tuple[Event | None, Came]]) -> None: ...
    async def on_commands(self, records: Sequence[tuple[Event | None, Came]]) -> None: ...
    def on_risk_state(self, event: RiskStateChanged) -> None: ...


def owner_name() -> str:
    """This process, in the lease: for people, and never the same twice."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


async def with_topics(wiring: Wiring, executor: Taking) -> None:
    """Tell and hear, as soon as there is a broker; exits and protection do not wait for one. Runs until cancelled."""
    bootstrap = wiring.settings.kafka.kafka_bootstrap
    producer = await _connected(wiring)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(wiring.outlet.run(producer))
            letters = DeadLetters(producer, NAME)
            guard = Route(RISK_STATE, _RiskTaker(executor), newest_of=wiring.settings.account.account)
            group.create_task(_hear(Intake(bootstrap, {}, letters), [guard], wiring))
            await executor.ready.wait()
            routes = [Route(SIGNAL_SCORED, executor.on_signals), Route(COMMAND, executor.on_commands)]
            group.create_task(_hear(Intake(bootstrap, executor.offsets, letters), routes, wiring))
    finally:
        await producer.stop(wiring.context.settings.stop_deadline_seconds / 3)


async def _connected(wiring: Wiring) -> EventProducer:
    while True:
        producer = EventProducer(wiring.settings.kafka.kafka_bootstrap, service=NAME)
        try:
            await producer.start()
            return producer
        except UnreachableError as error:
            wiring.context.miss(TOPICS, error.advice.what)
            _LOGGER.warning("no broker answers yet; what is open goes on without one", why=error.advice.what)
            await asyncio.sleep(wiring.retry_seconds)


async def _hear(intake: Intake, routes: Sequence[Route], wiring: Wiring) -> None:
    while True:
        try:
            wiring.context.fulfil(TOPICS)
            await intake.run(routes)
        except* UnreachableError as errors:
            wiring.context.miss(TOPICS, str(errors.exceptions[0]))
        except* UserError as errors:
            # A person has to look at the broker; what is open is protected and left meanwhile, which ending would not do.
            problem = str(errors.exceptions[0])
            wiring.context.miss(TOPICS, problem)
            _LOGGER.error("topics cannot be read, so nothing is entered and nobody is obeyed", why=problem)
        await asyncio.sleep(wiring.retry_seconds)


@dataclass(frozen=True, slots=True)
class _RiskTaker:
    executor: Taking

    async def __call__(self, records: Sequence[tuple[Event | None, Came]]) -> None:
        for event, _ in records:
            if isinstance(event, RiskStateChanged):
                self.executor.on_risk_state(event)


async def watch_readiness(wiring: Wiring, executor: Taking) -> None:
    """Say in /readyz what is missing, until cancelled."""
    context = wiring.context
    while True:
        pages = executor.pages
        if pages.lease is None:
            context.miss(LEASE, pages.trouble or "not taken yet")
        else:
            context.fulfil(LEASE)
        if pages.trouble is not None:
            context.miss(BOOKS, pages.trouble)
        elif pages.lease is not None:
            context.fulfil(BOOKS)
        for known, name in ((executor.compared, COMPARED), (executor.ready, STATEMENT)):
            if known.is_set():
                context.fulfil(name)
        await asyncio.sleep(_LOOK_SECONDS)
