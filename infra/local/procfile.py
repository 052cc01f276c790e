"""Reads the Procfile into process specifications: one environment and one health port each, workers as numbered copies."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from honcho.environ import parse_procfile

from infra.local.options import ROOT
from infra.local.process import ProcessSpec
from libs.kit.errors import ConfigurationError

PROCFILE = ROOT / "Procfile"
SIMULATOR = "exchange_simulator"
ENGINE, TRADES, MIRROR = "signal_engine", "trade_ingest", "recorder_mirror"


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service to run: its command, and the port its health endpoints get."""

    name: str
    argv: tuple[str, ...]
    health_port: int

    def spec(self, environment: Mapping[str, str]) -> ProcessSpec:
        """The process specification with the shared variables and its own."""
        own = {"PERPSTREAM_HEALTH_PORT": str(self.health_port), "PERPSTREAM_INSTANCE": self.name}
        return ProcessSpec(self.name, self.argv, environment={**environment, **own}, folder=ROOT)


def read_procfile(path: Path = PROCFILE) -> dict[str, tuple[str, ...]]:
    """Command by service name, in the file's order; `python` means the interpreter that runs us."""
    try:
        processes = parse_procfile(path.read_text()).processes
    except OSError as error:
        raise ConfigurationError(
            f"the process list cannot be read: {error.strerror}", where=str(path), todo="restore the Procfile"
        ) from None
    return {name: _command(line) for name, line in processes.items()}


def _command(line: str) -> tuple[str, ...]:
    return tuple(sys.executable if word == "python" else word for word in shlex.split(line))


def plan_services(
    commands: Mapping[str, tuple[str, ...]],
    *,
    with_simulator: bool,
    copies: Mapping[str, int],
    health_ports: Iterator[int],
) -> list[ServicePlan]:
    """The services of one run in start order, those in `copies` so many times (`signal_engine`, `signal_engine.2`, …); each copy
    of trade_ingest is told its shard, copies of the engine share the partitions by themselves."""
    plans = []
    for name, argv in commands.items():
        if name == SIMULATOR and not with_simulator:
            continue
        count = copies.get(name, 1)
        for copy in range(count):
            title = name if copy == 0 else f"{name}.{copy + 1}"
            shard = ("--shard", f"{copy}/{count}") if name == TRADES and count > 1 else ()
            plans.append(ServicePlan(title, (*argv, *shard), next(health_ports)))
    return plans
