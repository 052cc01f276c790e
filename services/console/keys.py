"""`perpstream keys`: the keys that sign commands, and whose commands the services obey."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.console.output import AsJson, StateDir, console, print_json

Trust = Annotated[bool, typer.Option("--trust", help="Let the stack on this machine obey it at once")]

app = typer.Typer(
    help="Keys: who may tell executor and risk guard what to do.",
    epilog="Examples: `perpstream keys new --trust`, `perpstream keys list`, `perpstream keys revoke eve`",
    no_args_is_help=True,
)


@app.command(epilog="Examples: `perpstream keys new --trust`, `perpstream keys new ada`")
def new(
    name: Annotated[str | None, typer.Argument(help="Your name in every command [default: your login]")] = None,
    trust_it: Trust = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a key of your own. Its public line is printed, for those who run services that should obey you."""
    from libs.kit.keys import new_key
    from libs.kit.settings import PersonalKeySettings, load_settings
    from services.console.key_choice import own_name, trusted_folder

    folder = load_settings(PersonalKeySettings).keys_dir
    key = new_key(folder, name or own_name())
    if trust_it:
        trusted_folder(state_dir).trust(key.public)
    if as_json:
        print_json({"name": key.name, "public": key.public, "folder": str(folder), "trusted": trust_it})
        return
    console().print(f"{key.name}: {folder / key.name}.key signs what you say; keep it to yourself", markup=False)
    console().print(key.public, markup=False)
    if not trust_it:
        console().print("services obey it after `perpstream keys trust` where they run", markup=False)


@app.command("list", epilog="Examples: `perpstream keys list`, `perpstream keys list --json`")
def list_(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show your keys, and whom the services trust."""
    from rich.table import Table

    from libs.kit.keys import key_names
    from libs.kit.settings import PersonalKeySettings, load_settings
    from services.console.key_choice import trusted_folder, trusted_words

    folder, trusted = load_settings(PersonalKeySettings).keys_dir, trusted_folder(state_dir)
    own, names, trouble = key_names(folder), trusted.names(), trusted.unreadable()
    if as_json:
        places = {"keys_dir": str(folder), "command_keys": str(trusted.folder), "trouble": trouble}
        print_json({"own": own, "trusted": names, **places})
        return
    table = Table("key", "yours", "trusted", box=None, pad_edge=False)
    for name in sorted({*own, *names}):
        counts = name in names and not trouble
        table.add_row(name, "yes" if name in own else "no", trusted_words(trusted, name) if counts else "no")
    console().print(table if table.row_count else "there is no key yet: perpstream keys new")
    console().print(f"yours: {folder}\ntrusted: {trusted.folder}", style="dim", markup=False)
    if trouble is not None:
        console().print(f"nobody is trusted: {trouble}", style="yellow", markup=False)


@app.command(
    epilog="Examples: `perpstream keys trust ada.pub`, `… trust ada --only pause,flatten`, `… keys trust - < ada.pub`"
)
def trust(
    public: Annotated[str, typer.Argument(help="A file with a public line, - for standard input, or a key of yours")],
    only: Annotated[
        str | None,
        typer.Option(help="For these commands alone, like pause,flatten [default: as the line says, else as before]"),
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Lift the limit of a key that had one")] = False,
    state_dir: StateDir = None,
) -> None:
    """Let the services obey the owner of this public key, in everything or in some commands only."""
    from libs.kit.errors import ConfigurationError
    from services.console.key_choice import commands_named, trusted_folder

    if only is not None and everything:
        raise ConfigurationError("some commands only, or everything?", where="--everything", todo="leave one of them")
    allowed, trusted = None if only is None else commands_named(only), trusted_folder(state_dir)
    name = trusted.trust(_public_line(public), allowed, everything=everything)
    limits = trusted.limits(name)
    limit = "" if limits is None else f", for {', '.join(limits)} only"
    console().print(f"{name} is trusted from now on{limit}", markup=False)


@app.command("gateway", epilog="Example: `perpstream keys gateway`")
def trust_the_gateway(state_dir: StateDir = None) -> None:
    """Make the gateway's key if there is none, and let the services obey it: once, so that a revoked one stays out."""
    from services.console.key_choice import trust_gateway

    trust_gateway(state_dir, even_where_named=True)
    console().print("the gateway's key is there; whether it is trusted, `perpstream keys list` says", markup=False)


@app.command(epilog="Example: `perpstream keys revoke eve`")
def revoke(
    name: Annotated[str, typer.Argument(help="The name of a trusted key, as `keys list` has it")],
    state_dir: StateDir = None,
) -> None:
    """Let the services obey this name no longer; it counts at once, also for commands that are on their way."""
    from services.console.key_choice import trusted_folder

    trusted_folder(state_dir).revoke(name)
    console().print(f"{name} is not trusted any more", markup=False)


def _public_line(text: str) -> str:
    """What stands in a file, on standard input, or beside a private key of one's own."""
    from libs.kit.errors import ConfigurationError
    from libs.kit.keys import key_names, read_key
    from libs.kit.settings import PersonalKeySettings, load_settings

    folder = load_settings(PersonalKeySettings).keys_dir
    if text == "-":
        return sys.stdin.read(1000)
    if text in key_names(folder):
        return read_key(folder, text).public
    try:
        return Path(text).read_text()[:1000]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(
            f"the public key cannot be read: {reason}", where=text[:80], todo="name NAME.pub, or a key of yours"
        ) from None
