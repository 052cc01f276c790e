"""`python -m services.exchange_simulator.check`: would the simulator start with this environment? Starts nothing.

Ends with 0, or with 2 and one JSON object on standard output: the variable that is wrong, and what is wrong with it.
"""

import sys

import msgspec

from libs.exchanges.recordings import check_beginnings
from libs.kit.errors import ConfigurationError
from libs.kit.settings import load_settings
from services.exchange_simulator.faults.script import read_script
from services.exchange_simulator.private.keys import read_accounts
from services.exchange_simulator.settings import MarketSettings, ServerSettings


def trouble() -> dict[str, str] | None:
    """What is wrong with the settings or the beginnings of the recordings; None when nothing is."""
    try:
        server = load_settings(ServerSettings)
        settings = load_settings(MarketSettings)
    except ConfigurationError as error:
        variable, _, what = error.advice.where.partition(": ")
        return {"variable": variable, "what": what, "file": ""}
    try:
        check_beginnings(settings.recording)
    except ConfigurationError as error:
        return {"variable": "PERPSTREAM_SIM_RECORDING", "what": error.advice.what, "file": error.advice.where}
    try:
        if server.accounts is not None:
            read_accounts(server.accounts)
    except ConfigurationError as error:
        return {"variable": "PERPSTREAM_SIM_ACCOUNTS", "what": error.advice.what, "file": error.advice.where}
    try:
        if server.faults is not None:
            read_script(server.faults)
    except ConfigurationError as error:
        return {"variable": "PERPSTREAM_SIM_FAULTS", "what": error.advice.what, "file": error.advice.where}
    return None


def main() -> None:
    """Look, say, leave."""
    found = trouble()
    if found is not None:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        sys.exit(ConfigurationError.exit_code)


if __name__ == "__main__":
    main()
