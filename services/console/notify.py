"""`perpstream notify`: whether messages reach people, what waits or is dead, and whether the rules are right."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.console.output import AsJson, StateDir

if TYPE_CHECKING:
    from rich.table import Table

    from libs.kit.settings import NotificationSettings
    from libs.notify import Channel, Message, Outcome
    from libs.store.notices import NoticeRow

ChannelName = Annotated[str | None, typer.Option("--channel", help="Of this channel only", show_default=False)]
State = Literal["waiting", "sending", "sent", "dead"]

app = typer.Typer(
    help="Notifications: channels, rules, and the outbox of what waits or could not be told.",
    epilog="Examples: `perpstream notify test desk`, `perpstream notify outbox`, `perpstream notify rules check`",
    no_args_is_help=True,
)
rules_app = typer.Typer(
    help="The rules of who is told what.", epilog="Example: `perpstream notify rules check`", no_args_is_help=True
)
app.add_typer(rules_app, name="rules")


@app.command(
    "test", epilog="Examples: `perpstream notify test desk`, `perpstream notify test desk --severity critical`"
)
def try_channel(
    channel: Annotated[str, typer.Argument(help="A channel's name: a file NAME.url in the folder of channels")],
    severity: Annotated[Literal["info", "warning", "critical"], typer.Option(help="How grave it looks")] = "info",
) -> None:
    """Send one message to a channel now, past rules and outbox, and say what became of it. Exit code 1 when it was not taken."""
    from libs.kit.errors import UserError
    from libs.notify import Delivered, Message
    from services.console.output import console

    found = _channel(channel)
    message = Message(
        "Perpstream can reach you",
        f"A test of the channel {channel}.",
        severity,
        {"severity": severity},
        "perpstream notify test",
    )
    outcome = asyncio.run(_send(found, message))
    if not isinstance(outcome, Delivered):
        raise UserError(
            f"the message was not taken: {outcome.why}", where=f"channel {channel}", todo="mend it, and try again"
        )
    console().print(f"{channel} ({found.kind}) has taken the message", markup=False)


@app.command(epilog="Examples: `perpstream notify channels`, `perpstream notify channels --json`")
def channels(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show every channel, how it fares, and how much waits for it. Exit code 1 when one is no channel or fails."""
    from rich.table import Table

    from services.console.notices import channel_lines
    from services.console.output import console, print_json

    lines = channel_lines(_settings().channels_dir, state_dir)
    if as_json:
        print_json(lines)
    else:
        table = Table("channel", "kind", "state", "waiting", "dead", box=None, pad_edge=False)
        for line in lines:
            table.add_row(line.channel, line.kind, line.state, str(line.waiting), str(line.dead))
        folder = _settings().channels_dir
        console().print(table if lines else f"there is no channel: write an address into {folder}/NAME.url, chmod 600")
    if any(line.state != "works" for line in lines):
        raise typer.Exit(1)


@app.command(epilog="Examples: `perpstream notify outbox`, `perpstream notify outbox --state dead --json`")
def outbox(
    state: Annotated[State | None, typer.Option(help="In this state only", show_default=False)] = None,
    channel: ChannelName = None,
    last: Annotated[int, typer.Option(min=1, max=1000, help="So many lines")] = 50,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Show messages to people, the newest first: what was sent, what waits and why, and what is dead."""
    from libs.store.notices import OutboxFilter
    from services.console.notices import asked_outbox
    from services.console.output import console, print_json

    rows = asked_outbox(state_dir, OutboxFilter(channel, (state,) if state is not None else (), last))
    if as_json:
        print_json(rows)
    else:
        console().print(_table(rows) if rows else "the outbox has nothing like that")


@app.command(epilog="Examples: `perpstream notify resend 4631da99`, `perpstream notify resend --all --channel desk`")
def resend(
    notice: Annotated[str | None, typer.Argument(help="The beginning of its id, from `notify outbox`")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are dead")] = False,
    channel: ChannelName = None,
    state_dir: StateDir = None,
) -> None:
    """Put dead messages back into the outbox, to be sent at once."""
    from services.console.notices import resend_notices
    from services.console.output import console

    if (notice is None) != every:
        raise typer.BadParameter("name one message, or give --all")
    count = resend_notices(state_dir, notice, channel)
    console().print(f"{count} {'message' if count == 1 else 'messages'} will be sent again", markup=False)


@app.command(epilog="Example: `perpstream notify forget phone`")
def forget(
    channel: Annotated[str, typer.Argument(help="The name of a channel whose file is gone for good")],
    state_dir: StateDir = None,
) -> None:
    """Forget a channel whose file is gone: critical messages wait for it no more, and those that do are dead."""
    from services.console.notices import forget as forget_channel
    from services.console.output import console

    count = forget_channel(_settings().channels_dir, state_dir, channel)
    given_up = "1 message" if count == 1 else f"{count} messages"
    console().print(f"{channel} is forgotten, and {given_up} for it given up", markup=False)


@rules_app.command(epilog="Examples: `perpstream notify rules check`, `perpstream notify rules check my-rules.json`")
def check(
    file: Annotated[
        Path | None, typer.Argument(help="[default: PERPSTREAM_NOTIFIER_RULES, else the rules shipped]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a file of rules is right, and which channels it names that are not there. Exit code 2 when it is wrong."""
    from libs.notify.folder import read_channels
    from libs.notify.rules import DEFAULT_RULES, load_rules
    from services.console.output import console, print_json

    settings = _settings()
    place = file or settings.notifier_rules or DEFAULT_RULES
    rules = load_rules(place)
    there = read_channels(settings.channels_dir).channels
    missing = [name for name in rules.named_channels() if name not in there]
    if as_json:
        print_json({"file": str(place), "rules": [rule.name for rule in rules.rules], "missing_channels": missing})
        return
    console().print(f"{len(rules.rules)} rules are right: {place}", markup=False)
    for name in missing:
        console().print(f"  no channel {name}: what is for it waits until there is one", style="yellow", markup=False)


def _settings() -> "NotificationSettings":
    from libs.kit.settings import NotificationSettings, load_settings

    return load_settings(NotificationSettings)


def _channel(name: str) -> "Channel":
    from libs.kit.errors import UserError
    from libs.notify.folder import read_channels
    from libs.notify.other_ways import AppriseChannel

    folder = _settings().channels_dir
    found = read_channels(folder)
    if name in found.broken:
        raise UserError(f"{name} is no channel: {found.broken[name]}", where=str(folder), todo="mend its file")
    if name not in found.channels:
        known = ", ".join(found.channels) or "none"
        raise UserError(f"there is no channel {name}; there are: {known}", where=str(folder), todo=f"write {name}.url")
    channel = found.channels[name]
    if isinstance(channel, AppriseChannel):
        channel.check()
    return channel


async def _send(channel: "Channel", message: "Message") -> "Outcome":
    try:
        return await channel.send(message)
    finally:
        await channel.close()


def _table(rows: "list[NoticeRow]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from services.console.watch.words import said

    table = Table("id", "made (UTC)", "channel", "severity", "state", "tries", "message", box=None, pad_edge=False)
    for row in rows:
        made = row.made_at.strftime("%m-%d %H:%M:%S")
        words = said(row.title)
        if row.last_error and row.state != "sent":
            words += f"\n{said(row.last_error)}"
        table.add_row(row.notice_id[:8], made, row.channel, row.severity, row.state, str(row.attempts), Text(words))
    return table
