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
SCALABLE = "signal_engine"


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
    commands: Mapping[str, tuple[str, ...]], *, with_simulator: bool, workers: int, health_ports: Iterator[int]
) -> list[ServicePlan]:
    """The services of one run in start order; the engine once per worker (`signal_engine`, `signal_engine.2`, …)."""
    plans = []
    for name, argv in commands.items():
        if name == SIMULATOR and not with_simulator:
            continue
        for copy in range(1, workers + 1 if name == SCALABLE else 2):
            title = name if copy == 1 else f"{name}.{copy}"
            plans.append(ServicePlan(title, argv, next(health_ports)))
    return plans
