"""Servers that a test may stop, kill and start again: the embedded broker and database with state in a temporary folder."""

import asyncio
import os
import signal
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient

from infra.local.jars import ensure_jars
from infra.local.java import find_java
from infra.local.kafka import EmbeddedKafka
from infra.local.ports import free_port
from infra.local.postgres import EmbeddedPostgres
from infra.local.process import LoggedProcess
from infra.local.settings import stack_settings

START_SECONDS = 60.0


@dataclass(slots=True)
class Broker:
    """A Kafka broker; the port stays the same over `kill()` and `start()`."""

    folder: Path
    _kafka: EmbeddedKafka = field(init=False)
    _process: LoggedProcess | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        jars = ensure_jars(stack_settings())
        self._kafka = EmbeddedKafka(self.folder, jars, find_java(), free_port(), free_port(), heap_mb=256)

    @property
    def bootstrap(self) -> str:
        return self._kafka.bootstrap

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start (again) and wait until it answers."""
        self._kafka.prepare()
        self._process = LoggedProcess(self._kafka.spec(), self.folder / "log")
        self._process.wait_until(self._kafka.is_ready, START_SECONDS)

    def stop(self) -> None:
        """An orderly end."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None, "not started"
        self._process.kill()

    def hang(self) -> None:
        """Keep every connection and answer nothing, until `go_on`."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End `hang`."""
        os.kill(self.pid, signal.SIGCONT)

    def delete_all_topics(self) -> None:
        """Make the broker empty again, internal topics apart."""
        asyncio.run(_delete_all_topics(self.bootstrap))


@dataclass(slots=True)
class Database:
    """A PostgreSQL server; the port stays the same over `kill()` and `start()`."""

    folder: Path
    _postgres: EmbeddedPostgres = field(init=False)
    _process: LoggedProcess | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._postgres = EmbeddedPostgres(self.folder, free_port())

    @property
    def url(self) -> str:
        """SQLAlchemy URL of its one database, password included."""
        return self._postgres.url_with_password

    @property
    def password_file(self) -> Path:
        return self._postgres.password_file

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start (again) and wait until it answers."""
        self._postgres.prepare()
        self._process = LoggedProcess(self._postgres.spec(), self.folder / "log")
        self._process.wait_until(self._postgres.is_ready, START_SECONDS)

    def stop(self) -> None:
        """An orderly end."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """SIGKILL to all of its processes: each is in a group of its own, and one that lives on keeps the next start out."""
        assert self._process is not None, "not started"
        everyone = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        for each in everyone:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(everyone, START_SECONDS)

    def create_database(self, template: str | None = None) -> str:
        """A new database, empty or a copy of another one that nobody is connected to, by its URL; returns its SQLAlchemy URL,
        password included."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        copied = f" TEMPLATE {template.rpartition('/')[2]}" if template else ""
        asyncio.run(_execute(self.url, f"CREATE DATABASE {name}{copied}"))
        return f"{self.url.rpartition('/')[0]}/{name}"

    def drop_database(self, url: str) -> None:
        """Remove a database made by `create_database`, whoever is still connected."""
        asyncio.run(_execute(self.url, f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _delete_all_topics(bootstrap: str) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        while topics := [name for name in await client.list_topics() if not name.startswith("__")]:
            await client.delete_topics(topics)
    finally:
        await client.close()
