"""Puts one run together: ports, servers, services and the run file, from what was asked for and what this machine has."""

import itertools
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.jars import ensure_jars
from infra.local.java import find_java
from infra.local.kafka import EmbeddedKafka, answers_as_kafka
from infra.local.options import (
    ROOT,
    Endpoints,
    PortName,
    StackOptions,
    choose_ports,
    requests_dir,
    service_environment,
    split_password,
)
from infra.local.ports import HOST, free_port, promise
from infra.local.postgres import EmbeddedPostgres, answers_as_postgres
from infra.local.process import ProcessSpec
from infra.local.procfile import ENGINE, MIRROR, SIMULATOR, TRADES, ServicePlan, plan_services, read_procfile
from infra.local.runfile import RunFile, claim_state_folder, creation_time, disk_error, end_leftovers, remember_source
from infra.local.screen_log import ScreenLog
from infra.local.settings import StackSettings
from infra.local.supervisor import Server, StackPlan, Supervisor
from libs.kit.addresses import broker_addresses
from libs.kit.errors import UnreachableError
from libs.kit.secrets import masked
from libs.kit.service import VERSION
from libs.kit.settings import DatabaseSettings, MirrorSettings, load_settings


@dataclass(frozen=True, slots=True)
class Preparation:
    """A command that must succeed after the servers are up and before the services start (migrations, topics)."""

    name: str
    argv: tuple[str, ...]


async def run_stack(
    options: StackOptions,
    settings: StackSettings,
    preparations: Sequence[Preparation],
    commands: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Run the stack in the foreground until it is asked to stop.

    `commands` replaces the Procfile (tests). Raises `UserError` with one clear line for everything a person can mend.
    """
    options.validate()
    commands = read_procfile() if commands is None else commands
    with claim_state_folder(options.state_dir):
        log = ScreenLog([*commands, "kafka", "postgres", *(item.name for item in preparations)])
        leftovers = end_leftovers(options.state_dir)
        if leftovers:
            log.system(f"ended what an earlier run left behind: {', '.join(leftovers)}")
        try:
            plan = _assemble(options, settings, preparations, commands)
            log.system(
                f"state in {options.state_dir}, API on {plan.run.gateway_url}, Kafka on {plan.run.kafka_bootstrap}"
            )
            await Supervisor(plan, log).run()
        except OSError as error:
            raise disk_error(error, options.state_dir) from None


def _assemble(
    options: StackOptions,
    settings: StackSettings,
    preparations: Sequence[Preparation],
    commands: Mapping[str, tuple[str, ...]],
) -> StackPlan:
    ports = choose_ports(options)
    servers: list[Server] = []
    kafka = _kafka(options, settings, ports, servers)
    database_url, password_file = _database(options, settings, ports, servers)
    simulated = options.venue == "simulator" and SIMULATOR in commands
    endpoints = Endpoints(
        kafka=kafka,
        database_url=database_url,
        database_password_file=password_file,
        simulator_url=f"http://{HOST}:{ports['simulator']}" if options.venue == "simulator" else None,
        gateway_url=f"http://{HOST}:{ports['gateway']}",
    )
    services = plan_services(
        commands,
        with_simulator=simulated,
        copies={ENGINE: options.workers, TRADES: options.ingest_shards, MIRROR: int(_mirrored())},
        health_ports=health_ports(ports["health"]),
    )
    # Last of what can be refused: a start that failed before has put nothing into the folder, and may be tried again.
    market = remember_source(options.state_dir, options.source())
    if simulated:
        # It is started with us and remembers no count and no ban of an earlier run: neither do we.
        shutil.rmtree(requests_dir(options.state_dir), ignore_errors=True)
    environment = service_environment(options, endpoints) | {"PERPSTREAM_MARKET_SOURCE": market}
    return StackPlan(
        state_dir=options.state_dir,
        run=_run_file(options, endpoints),
        servers=servers,
        one_shots=[ProcessSpec(item.name, item.argv, environment, ROOT) for item in preparations],
        early=[plan.spec(environment) for plan in services if plan.name == SIMULATOR],
        services=[plan.spec(environment) for plan in services if plan.name != SIMULATOR],
        health_urls=_health_urls(services),
    )


def _mirrored() -> bool:
    return load_settings(MirrorSettings).mirror_database_url is not None


def _health_urls(services: Sequence[ServicePlan]) -> dict[str, str]:
    return {plan.name: f"http://{HOST}:{plan.health_port}" for plan in services}


def health_ports(first: int) -> Iterator[int]:
    """`first`, which is ours already, and those behind it; one that is taken or promised is replaced by a free one."""
    yield first
    for port in itertools.count(first + 1):
        yield port if port <= 65535 and promise(port) else free_port()


def _run_file(options: StackOptions, endpoints: Endpoints) -> RunFile:
    return RunFile(
        version=VERSION,
        supervisor_pid=os.getpid(),
        supervisor_started_at=creation_time(os.getpid()) or 0.0,
        kafka_bootstrap=endpoints.kafka,
        database_url=endpoints.database_url,
        database_password_file=_absolute(endpoints.database_password_file),
        simulator_url=endpoints.simulator_url,
        gateway_url=endpoints.gateway_url,
        venue=options.venue,
        symbols=list(options.symbols),
    )


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _kafka(options: StackOptions, settings: StackSettings, ports: Mapping[PortName, int], servers: list[Server]) -> str:
    if options.kafka is not None:
        _require_kafka(options.kafka)
        return options.kafka
    broker = EmbeddedKafka(
        folder=options.state_dir.absolute() / "kafka",
        jars=ensure_jars(settings),
        java=find_java(),
        port=ports["kafka"],
        controller_port=ports["controller"],
        heap_mb=settings.kafka_heap_mb,
    )
    servers.append(Server(broker.spec, broker.prepare, broker.is_ready))
    return broker.bootstrap


def _require_kafka(bootstrap: str) -> None:
    with suppress(ValueError):
        if any(answers_as_kafka(host, port, timeout_seconds=5) for host, port in broker_addresses(bootstrap)):
            return
    raise UnreachableError("no Kafka broker answers", where=bootstrap, todo="start it, or correct --kafka HOST:PORT")


def _database(
    options: StackOptions, settings: StackSettings, ports: Mapping[PortName, int], servers: list[Server]
) -> tuple[str, Path | None]:
    if options.database is not None:
        return given_database(options)
    folder = options.state_dir.absolute() / "postgres"
    database = EmbeddedPostgres(folder, ports["postgres"], settings.postgres_user)
    servers.append(Server(database.spec, database.prepare, database.is_ready))
    return database.url, database.password_file


def given_database(options: StackOptions) -> tuple[str, Path | None]:
    """The server that `--database` names: its URL without a password, and the file that the password now stands in.

    The password is the URL's, else that of PERPSTREAM_DATABASE_PASSWORD_FILE. Raises `UserError`.
    """
    assert options.database is not None, "asked for"
    url, password = split_password(options.database)
    place = urlsplit(url)
    if not answers_as_postgres(place.hostname or "", place.port or 5432, timeout_seconds=5):
        raise UnreachableError(
            "no PostgreSQL server answers", where=masked(url), todo="start it, or correct --database"
        )
    if password is None and (given := load_settings(DatabaseSettings).password()) is not None:
        password = given.get_secret_value()
    if password is None:
        return url, None
    file = options.state_dir / "database-password"
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(password)
    return url, file
