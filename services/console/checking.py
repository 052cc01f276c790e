"""Asks the simulator, before anything starts, whether it can play what a person asked for; it alone knows its market."""

import os
import subprocess
import sys

import msgspec

from infra.local.options import ROOT, StackOptions, market_variables
from libs.kit.errors import ConfigurationError
from libs.kit.settings import DEFAULT_SYMBOLS

_SECONDS = 60.0
_CHECK = (sys.executable, "-m", "services.exchange_simulator.check")
_OPTIONS = {
    "PERPSTREAM_SIM_SYMBOLS": ("--symbols", "name listed ones, like BTCUSDT,ETHUSDT"),
    "PERPSTREAM_SIM_RECORDING": (
        "--recording",
        "give raw captures (.raw.gz) or Binance aggTrades tables (.csv, .csv.gz, .zip)",
    ),
}


class _Trouble(msgspec.Struct):
    variable: str
    what: str
    file: str = ""


def check_market(options: StackOptions, *, typed: bool) -> None:
    """Raise `ConfigurationError` naming the option when the simulator would refuse symbols or recordings.

    `typed`: the symbols were given with --symbols, else they stand in PERPSTREAM_SYMBOLS. A check that itself fails says
    nothing: the simulator will.
    """
    if options.venue != "simulator" or (not options.recordings and options.symbols == DEFAULT_SYMBOLS):
        return
    try:
        done = subprocess.run(  # noqa: S603 - ourselves
            _CHECK,
            cwd=ROOT,
            env={**os.environ, **market_variables(options)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return
    if done.returncode != ConfigurationError.exit_code:
        return
    found = msgspec.json.decode(done.stdout, type=_Trouble)
    where, todo = _OPTIONS.get(found.variable, (found.variable, "correct the variable"))
    if where == "--symbols" and not typed:
        where = "PERPSTREAM_SYMBOLS"
    raise ConfigurationError(found.what, where=f"{where} {found.file}".rstrip(), todo=todo)
