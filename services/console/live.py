"""`perpstream live`: what may trade on an account and how much; it changes by signed commands only."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.console.asking import AccountName, Asking, Reason
from services.console.consent import Yes, most_at_risk, require_yes
from services.console.output import AsJson, StateDir

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from libs.store.live_questions import ConfigVersion
    from libs.trading.execution.config import LiveConfig

app = typer.Typer(
    help="Live configuration: which strategies trade an account, and how much. Changes are signed with your key.",
    epilog="Examples: `perpstream live show`, `perpstream live set strategies=v51 risk_per_trade=10`",
    no_args_is_help=True,
)


@app.command(epilog="Examples: `perpstream live show`, `perpstream live show --json`")
def show(account: AccountName = None, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show what may trade now. As shipped no strategy does."""
    from services.console.live_table import config_screen
    from services.console.output import console, print_json

    asking = Asking(state_dir, account)
    config, word = newest_config(asking)
    if as_json:
        print_json({"account": asking.account_name, **config.model_dump(mode="json")})
    else:
        console().print(config_screen(asking.account_name, config, word))


@app.command(
    "set",
    epilog="Examples: `perpstream live set strategies=v51,v52`, `perpstream live set overrides.BTCUSDT.leverage=3`, "
    "`… set overrides.BTCUSDT.leverage=none`",
)
def set_(
    changes: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE...", help="Lists with commas; `perpstream live show` has the keys")
    ],
    reason: Reason = "",
    yes: Yes = False,
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Change what may trade: all of it or nothing, and not on top of a change that you have not seen."""
    from libs.kit.errors import ConfigurationError
    from libs.trading.commands import ChangeConfig, CommandInvalid
    from libs.trading.execution.config_change import changed_config, read_change
    from services.console.commanding import tell
    from services.console.live_change import doubts, known_names, only_lessens
    from services.console.live_table import changes_between, changes_in_words
    from services.console.output import console, print_warning

    asking, wanted = Asking(state_dir, account, reason, as_json), pairs_of(changes)
    config, _ = newest_config(asking)
    try:
        arguments = read_change(wanted, config)
    except CommandInvalid as error:
        raise ConfigurationError(str(error), todo="look at `perpstream live show`") from None
    after = changed_config(config, ChangeConfig(config.version, wanted))
    for line in doubts(after, known_names(asking)):
        print_warning(line)
    lines = changes_in_words(changes_between(config.model_dump(mode="json"), after.model_dump(mode="json")))
    if not only_lessens(config, after):
        question = f"let account {asking.account_name} trade like that?"
        require_yes(question, yes=yes, effect=lambda: [*lines, *_worst_cases(config, after)])
    tell(asking, "change_config", arguments)
    if not as_json:
        for line in lines:
            console().print(f"  {line}", markup=False)


def _worst_cases(before: "LiveConfig", after: "LiveConfig") -> list[str]:
    old, new = before.max_positions, after.max_positions
    amounts = f"{-most_at_risk(before):f} → {-most_at_risk(after):f} in quote units"
    return [f"{old} → {new} positions: worst case −{old} R → −{new} R ({amounts})"]


@app.command(epilog="Examples: `perpstream live history`, `perpstream live history --json`")
def history(account: AccountName = None, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show every version of what may trade: who changed what, when and why."""
    from services.console.live_table import history_rows, history_screen
    from services.console.output import console, print_json

    rows = history_rows(_versions(Asking(state_dir, account)))
    if as_json:
        print_json(rows)
    else:
        console().print(history_screen(rows))


def pairs_of(changes: list[str]) -> dict[str, str]:
    """KEY=VALUE as a mapping; raises for what is none, and a key that is named twice."""
    pairs: dict[str, str] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{change!r} is not KEY=VALUE", param_hint="KEY=VALUE")
        if name.strip() in pairs:
            raise typer.BadParameter(f"{name.strip()} is named twice", param_hint="KEY=VALUE")
        pairs[name.strip()] = value.strip()
    return pairs


def newest_config(asking: Asking) -> "tuple[LiveConfig, ConfigVersion | None]":
    """What counts now, and who said so; as shipped where nobody has changed anything yet."""
    from libs.trading.execution.config import LiveConfig

    versions = _versions(asking, most=1)
    if not versions:
        return LiveConfig(), None
    return LiveConfig.model_validate(versions[0].document), versions[0]


def _versions(asking: Asking, most: int = 1000) -> "list[ConfigVersion]":
    from libs.store.live_questions import config_history
    from services.console.database import with_engine

    async def work(engine: "AsyncEngine") -> Any:
        return await config_history(engine, asking.account_name, most)

    found: list[ConfigVersion] = with_engine(asking.state_dir, work)
    return found
