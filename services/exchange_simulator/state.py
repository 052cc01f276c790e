"""The state folder: remembers which market it belongs to and where its clock was anchored; refuses another market."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from libs.kit.errors import ConfigurationError
from services.exchange_simulator.clock import Anchor

_FILE = "simulator.json"


@dataclass(slots=True)
class SimulatorState:
    """`identity` is what was asked for; `anchor` where the clock started; `position_ms` how far an unpaced replay got."""

    folder: Path
    identity: Mapping[str, object]
    anchor: Anchor | None = None
    position_ms: int | None = None

    def save(self) -> None:
        """Write the state so that a crash leaves the old or the new one, never half of it."""
        body: dict[str, object] = {"identity": dict(self.identity), "position_ms": self.position_ms}
        if self.anchor is not None:
            body["anchor"] = {"venue_ms": self.anchor.venue_ms, "wall_ms": self.anchor.wall_ms}
        temporary = self.folder / f"{_FILE}.new"
        with temporary.open("w") as file:
            json.dump(body, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / _FILE)


def open_state(folder: Path, identity: Mapping[str, object]) -> SimulatorState:
    """Open the folder for this market, making it when it is new.

    Raises `ConfigurationError` (exit code 2) when the folder belongs to another market or cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _FILE
        if not path.exists():
            state = SimulatorState(folder, identity)
            state.save()
            return state
        body = json.loads(path.read_text())
        found = body["identity"]
        anchor = body.get("anchor")
        position = body.get("position_ms")
    except OSError as error:
        raise ConfigurationError(
            f"the simulator's state folder cannot be used: {error.strerror}",
            where=str(folder),
            todo="set PERPSTREAM_SIM_STATE_DIR to a folder that can be written",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(
            "the simulator's state file is damaged", where=str(path), todo="remove the folder to start a fresh market"
        ) from None
    wanted = json.loads(json.dumps(dict(identity)))
    if found != wanted:
        raise ConfigurationError(
            f"the state folder belongs to another market: {_differences(found, wanted)}",
            where=str(folder),
            todo="start with the old settings, or remove the folder (and use a fresh database), or set another "
            "PERPSTREAM_SIM_STATE_DIR",
        )
    return SimulatorState(
        folder, identity, None if anchor is None else Anchor(anchor["venue_ms"], anchor["wall_ms"]), position
    )


def _differences(found: Mapping[str, object], wanted: Mapping[str, object]) -> str:
    keys = [key for key in sorted({*found, *wanted}) if found.get(key) != wanted.get(key)]
    return "; ".join(f"{key} was {_short(found.get(key))}, asked for {_short(wanted.get(key))}" for key in keys)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."
