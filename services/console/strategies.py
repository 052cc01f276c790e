"""`perpstream strategy`: the files, what is in force, how it changes, and why a signal came or not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.console.output import AsJson, StateDir, ask, console, print_json, running, servers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from libs.streaming.strategies.activation import By, Plan
    from libs.streaming.strategies.answers import Verdict
    from libs.streaming.strategies.log import Standing

app = typer.Typer(
    help="Strategies: the files that say how signals are scored, what is in force, and why a signal came or not.",
    epilog="Examples: `perpstream strategy list`, `perpstream strategy diff`, `perpstream strategy explain SIGNAL_ID`",
    no_args_is_help=True,
)


def _names() -> list[str]:
    from libs.streaming.strategies.files import strategy_names

    return strategy_names()


def _begins(incomplete: str) -> list[str]:
    return [name for name in _names() if name.startswith(incomplete)]


Files = Annotated[list[Path] | None, typer.Argument(help="Files [default: all of strategies/]", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why, for those who look at it later")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")]


@app.command("list", epilog="Examples: `perpstream strategy list`, `perpstream strategy list --json`")
def list_(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show each strategy: its version in force, since when, by whom, and whether its file says the same."""
    from libs.streaming.strategies.files import strategies_dir
    from libs.streaming.strategies.log import read_standing
    from services.console.strategy_state import rows
    from services.console.strategy_table import told

    given = servers(state_dir)
    found = rows(strategies_dir(), ask(given, read_standing(given.kafka)))
    if as_json:
        print_json(found)
        return
    for part in told(found, console().width):
        console().print(part)


@app.command(
    epilog="Examples: `perpstream strategy validate`, `perpstream strategy validate strategies/v52.json --json`"
)
def validate(files: Files = None, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Check strategy files; beside a running stack, also whether each has a version of its own. Exit code 2 when one is wrong."""
    from libs.kit.errors import ConfigurationError
    from libs.streaming.strategies.files import read_texts, strategies_dir, strategy_files
    from libs.trading.strategy import StrategyInvalid
    from services.console.strategy_state import CheckedRow, validated

    texts = read_texts(files or strategy_files(strategies_dir()))
    standing = _standing_if_asked(state_dir)
    try:
        rows = validated(texts, strategies_dir(), standing)
    except ConfigurationError as error:  # a factor's file that cannot be imported: no strategy can be judged
        if as_json:
            print_json([CheckedRow(str(path), problems=[str(error.advice)]) for path in texts])
        raise
    problems = [line for row in rows for line in row.problems]
    if as_json:
        print_json(rows)
    if problems:
        raise StrategyInvalid(problems)
    if as_json:
        return
    for row in rows:
        console().print(
            f"{row.file}: {row.strategy} version {row.version}, signals from {row.threshold:g}", markup=False
        )


def _standing_if_asked(state_dir: StateDir) -> "Standing | None":
    """What is in force, where a stack runs or a broker is named; None without: files can be checked on a train."""
    from libs.kit.settings import KafkaSettings, load_settings
    from libs.streaming.strategies.log import read_standing

    named = "kafka_bootstrap" in load_settings(KafkaSettings).model_fields_set
    if state_dir is None and not named and running(None) is None:
        return None
    given = servers(state_dir)
    return ask(given, read_standing(given.kafka))


@app.command(
    epilog="Examples: `perpstream strategy diff`, `perpstream strategy diff v51`, `perpstream strategy diff new.json --json`"
)
def diff(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE|NAME]...", help="What to compare [default: all of strategies/]", autocompletion=_begins
        ),
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what files would change in what is in force, field by field. Exit code 1 when they differ, 2 when one is wrong."""
    from libs.streaming.strategies.activation import Files as ActivatedFiles
    from libs.streaming.strategies.files import read_texts, strategies_dir
    from libs.streaming.strategies.log import read_standing
    from services.console.strategy_state import chosen_files, diffs, lines_of

    given = servers(state_dir)
    standing = ask(given, read_standing(given.kafka))
    texts = read_texts(chosen_files(targets or [], strategies_dir(), standing))
    found = diffs(ActivatedFiles(texts, strategies_dir(), whole=not targets), standing)
    if as_json:
        print_json(found)
    else:
        for line in (line for row in found for line in lines_of(row)):
            console().print(line, markup=False)
    if any(row.state == "invalid" for row in found):
        raise typer.Exit(2)
    if any(row.state != "same" for row in found):
        raise typer.Exit(1)


@app.command(
    epilog="Examples: `perpstream strategy activate --yes`, `perpstream strategy activate v60.json --reason 'a test'`, "
    "`perpstream strategy activate --withdraw v52`"
)
def activate(
    files: Files = None,
    yes: Yes = False,
    reason: Reason = "",
    withdraw: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take this strategy out of force", autocompletion=_begins)
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Put files in force in the running stack: checked, shown as differences, asked about, and said with who and why.

    Then the engine is heard. Exit code 1 when it refuses one: what it took before stays in force.
    """
    import getpass

    from libs.streaming.strategies.activation import By
    from libs.streaming.strategies.log import publish_and_hear, read_standing

    given, by = servers(state_dir), By(getpass.getuser(), reason, by_hand=True)
    plan = _plan(files, withdraw, ask(given, read_standing(given.kafka)), by)
    verdicts: Mapping[str, Verdict] = {}
    if plan.news:
        _confirm(plan, yes, as_json)
        verdicts = ask(given, publish_and_hear(given.kafka, plan.news))
    if as_json:
        answers = {name: {"state": verdict.state, "reason": verdict.reason} for name, verdict in verdicts.items()}
        print_json({"changes": plan.changes, "notes": plan.notes, "answers": answers})
    else:
        for note in plan.notes:
            console().print(note, markup=False)
        _tell(verdicts)
    _require_taken(plan, verdicts)


def _tell(verdicts: "Mapping[str, Verdict]") -> None:
    taken = ", ".join(name for name, verdict in verdicts.items() if verdict.state == "taken")
    unanswered = ", ".join(name for name, verdict in verdicts.items() if verdict.state == "unanswered")
    if taken:
        console().print(f"taken by the engine: {taken} as above, from one evaluation on", markup=False)
    if unanswered:
        line = f"said in the log: {unanswered} as above; no engine has answered, so whether it counts is not known yet"
        console().print(f"{line}: look with `perpstream strategy list`", markup=False)
    if not verdicts:
        console().print("nothing to change")


def _require_taken(plan: "Plan", verdicts: "Mapping[str, Verdict]") -> None:
    """Raises `UserError` with what the engine has refused."""
    from libs.kit.errors import UserError
    from libs.streaming.strategies.answers import RESTART

    refused = [event for event in plan.news if verdicts[event.strategy].state == "refused"]
    if refused:
        lines = "; ".join(verdicts[event.strategy].refusal(event) for event in refused)
        raise UserError(f"not in force: {lines}", where="what it took before stays", todo=RESTART)


def _plan(files: list[Path] | None, withdraw: str | None, standing: "Standing", by: "By") -> "Plan":
    from libs.kit.errors import ConfigurationError
    from libs.streaming.strategies.activation import Files as ActivatedFiles
    from libs.streaming.strategies.activation import plan_of, withdrawal
    from libs.streaming.strategies.files import read_texts, strategies_dir, strategy_files
    from libs.trading.strategy import StrategyInvalid
    from services.console.strategy_state import unknown_strategy

    if withdraw is not None:
        if files:
            raise ConfigurationError("files and --withdraw exclude each other", todo="give one of them")
        word = standing.last.get(withdraw)
        if word is None or not word.enabled:
            raise unknown_strategy(withdraw, standing)
        return withdrawal(word, by)
    folder = strategies_dir()
    texts = read_texts(files or strategy_files(folder))
    plan = plan_of(ActivatedFiles(texts, folder, whole=not files), standing, by)
    if plan.problems:
        raise StrategyInvalid(list(plan.problems))
    return plan


def _confirm(plan: "Plan", yes: bool, as_json: bool) -> None:
    """Show what changes and ask; raises `ConfigurationError` where nobody can answer."""
    import sys

    from libs.kit.errors import ConfigurationError

    if not as_json:
        for change in plan.changes:
            console().print(change, markup=False)
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise ConfigurationError(
            "nothing was changed: nobody can be asked here", todo="look at the changes, then add --yes"
        )
    if not typer.confirm("Put this in force?"):
        console().print("nothing was changed")
        raise typer.Exit(1)


@app.command(epilog="Example: `perpstream strategy publish`")
def publish(state_dir: StateDir = None) -> None:
    """Activate all of strategies/ without a question: the same as `activate --yes`."""
    activate(yes=True, state_dir=state_dir)


@app.command(epilog="Example: `perpstream strategy watch`")
def watch() -> None:
    """Put edits of strategies/ in force as they are saved, until stopped; a running stack does this by itself."""
    from services.console.strategy_watch import run

    run()


@app.command(
    epilog="Examples: `perpstream strategy explain 3f9c2a`, `perpstream strategy explain 3f9c2a71d0be4c55a8e1 --json`"
)
def explain(
    signal_id: Annotated[str, typer.Argument(help="A signal's id, or as much of its beginning as only it has")],
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell the whole story of a signal: why, with which figures, under which configuration, and what became of it."""
    from services.console.strategy_story import story_of
    from services.console.strategy_telling import tell

    story = story_of(state_dir, signal_id)
    if as_json:
        print_json(story)
    else:
        tell(console(), story)
