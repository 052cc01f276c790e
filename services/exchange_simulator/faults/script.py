"""A script of faults from a file."""

from pathlib import Path

from pydantic import ValidationError

from libs.kit.errors import ConfigurationError
from services.exchange_simulator.faults.plan import FAULTS, AnyFault, explain


def read_script(path: Path) -> list[AnyFault]:
    """The faults of a JSON list. Raises `ConfigurationError` for a file that is not there or that holds something else."""
    todo = "correct it, or leave PERPSTREAM_SIM_FAULTS out; docs/simulator.md lists the faults and their fields"
    try:
        return FAULTS.validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"the script of faults cannot be read: {error.strerror}", where=str(path), todo=todo
        ) from None
    except ValidationError as error:
        raise ConfigurationError(
            f"the script of faults is wrong: {explain(error)}", where=str(path), todo=todo
        ) from None
