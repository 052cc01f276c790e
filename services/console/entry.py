"""Where `perpstream` begins: what a person needs in a hurry does not wait until everything else is imported."""

import sys
from importlib import import_module

import typer

from services.console.output import guarded

QUICK = ("risk", "positions", "keys", "live", "notify")
"""Groups that stand alone in a module of their name."""
STACK = ("up", "down", "status", "watch", "smoke")
"""Commands of the stack; the process of the first stays, and so would what the others import."""


def root() -> typer.Typer:
    """The command line without its commands."""
    return typer.Typer(
        name="perpstream",
        help="Event-streaming signals for crypto perpetual futures: run the stack, watch it, ask it.",
        epilog="Exit codes: 0 done, 1 failed or refused, 2 wrong usage, setting or input, 3 no stack is running, "
        "4 a server does not answer, 5 not comparable (drift), 130 interrupted.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def main() -> None:
    """Run the command line and exit with its code."""
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    if named in QUICK:
        app = root()
        app.add_typer(import_module(f"services.console.{named}").app, name=named)
    elif named in STACK:
        app = root()
        import_module("services.console.stack").add_to(app)
    else:
        app = import_module("services.console.app").app
    sys.exit(guarded(app))
