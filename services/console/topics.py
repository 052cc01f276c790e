"""`perpstream topics`: create, list, describe, and tail with decoded records."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from services.console.output import AsJson, StateDir, ask, console, print_json, servers

if TYPE_CHECKING:
    from libs.streaming.records import Record
    from libs.streaming.tail import TailConsumer

app = typer.Typer(
    help="Kafka topics: the table in code, and what is on the broker.",
    epilog="Examples: `perpstream topics list`, `perpstream topics tail signal.scored --back 5`",
    no_args_is_help=True,
)
TopicName = Annotated[str, typer.Argument(help="A topic's name; a part of it is enough when only one topic has it")]
_WAITING = "0 records so far, waiting"
_WAITING_FOR_NEW = "no new record so far, waiting; --back N shows the last ones"


@app.command(epilog="Examples: `perpstream topics create`, `perpstream topics create --recreate --yes`")
def create(
    recreate: Annotated[bool, typer.Option("--recreate", help="Delete the topics with their records first")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    state_dir: StateDir = None,
) -> None:
    """Create the topics of the table that are missing, with their dead-letter topics."""
    from libs.streaming.admin import ensure_topics

    given = servers(state_dir)
    if recreate and not yes:
        typer.confirm(f"Delete every topic of perpstream on {given.kafka} with its records?", abort=True)
    states = ask(given, ensure_topics(given.kafka, given.market_partitions, recreate))
    made = sum(state.created for state in states)
    console().print(f"{made} topics created, {len(states) - made} were there")


@app.command("list", epilog="Examples: `perpstream topics list`, `perpstream topics list --json`")
def list_(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """List the topics of the table: meaning, partitions, who writes and reads, and whether the broker has them."""
    from libs.contracts.topics import TOPICS
    from libs.streaming.admin import list_topics

    given = servers(state_dir)
    there = {state.name: state.partitions for state in ask(given, list_topics(given.kafka))}
    rows = [
        {
            "topic": topic.name,
            "partitions": there.get(topic.name),
            "key": topic.key,
            "producers": list(topic.producers),
            "consumers": list(topic.consumers),
            "meaning": topic.meaning,
        }
        for topic in TOPICS
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("topic", box=None, pad_edge=False)
    table.add_column("part.", justify="right")
    for title in ("written by", "read by"):
        table.add_column(title, overflow="fold")
    for row, topic in zip(rows, TOPICS, strict=True):
        count = row["partitions"]
        table.add_row(
            topic.name, "–" if count is None else str(count), ", ".join(topic.producers), ", ".join(topic.consumers)
        )
    console().print(table)


@app.command(epilog="Example: `perpstream topics describe market.timeline.v1`")
def describe(topic: TopicName, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show one topic: configuration, partitions and how many records each holds."""
    from libs.streaming.admin import describe_topic

    given = servers(state_dir)
    state = ask(given, describe_topic(given.kafka, _full_name(topic)))
    if as_json:
        print_json(state)
        return
    screen = console()
    screen.print(f"{state.name}: {state.partitions} partitions, about {state.records} records")
    for partition, (first, end) in enumerate(zip(state.beginnings, state.ends, strict=True)):
        screen.print(f"  partition {partition}: offsets {first} to {end}")
    for key in ("cleanup.policy", "retention.ms", "message.timestamp.type", "max.message.bytes"):
        screen.print(f"  {key} = {state.config.get(key, '–')}")


@app.command(
    epilog="Examples: `perpstream topics tail scored`, `perpstream topics tail market.aggtrade.v1 --back 5 --count 5`"
)
def tail(
    topic: TopicName,
    back: Annotated[int, typer.Option(min=-1, help="Begin that many records before each end; -1: at the oldest")] = 0,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after that many records")] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Follow a topic and print its records decoded: a line each, and one for each trade."""
    given = servers(state_dir)
    ask(given, _tail(given.kafka, _full_name(topic), (back, count), as_json))


async def _tail(bootstrap: str, topic: str, span: tuple[int, int | None], as_json: bool) -> None:
    from libs.streaming.tail import TailConsumer
    from services.console.readable import lines_of

    back, count = span
    screen = console()
    async with TailConsumer(bootstrap, [topic], back=back) as consumer:
        async for record in _spoken(consumer, _WAITING if back else _WAITING_FOR_NEW):
            row = describe_record(record)
            if as_json:
                typer.echo(msgspec.json.encode(row).decode())
            else:
                first, *more = lines_of(row["schema"], row["value"])
                screen.print(
                    f"[dim]{row['partition']}:{row['offset']}[/dim] [cyan]{row['schema']}[/cyan] "
                    f"{_escaped(first)}{_escaped(refusal(row))}"
                )
                for line in more:
                    screen.print(_escaped(line))
            count = None if count is None else count - 1
            if count == 0:
                return


async def _spoken(consumer: "TailConsumer", silence: str) -> AsyncIterator["Record"]:
    """The records; when the first poll brings none, `silence` is said once on standard error."""
    batch = await consumer.poll()
    if not batch:
        typer.echo(silence, err=True)
    while True:
        for record in batch:
            yield record
        batch = await consumer.poll()


def describe_record(record: "Record") -> dict[str, Any]:
    """A record as plain data: place, schema and value with columns decoded; what cannot be decoded says why."""
    from libs.contracts.codec import HEADER_SCHEMA, decode
    from libs.kit.errors import BadMessage
    from services.console.readable import readable

    row: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": None if record.key is None else record.key.decode("utf-8", "replace"),
        "schema": record.headers.get(HEADER_SCHEMA, b"?").decode("utf-8", "replace"),
    }
    refused = {
        name.removeprefix("dlq-"): text.decode("utf-8", "replace")
        for name, text in record.headers.items()
        if name.startswith("dlq-")
    }
    if refused:
        row["refused"] = refused
    try:
        return row | {"value": readable(decode(record.value, record.headers))}
    except BadMessage as error:
        return row | {"value": {"undecodable": str(error), "bytes": len(record.value or b"")}}


def refusal(row: Mapping[str, Any]) -> str:
    """Of a dead letter: where it stood, who refused it and why; empty for any other record."""
    if "refused" not in row:
        return ""
    why = {
        name: row["refused"].get(name, "?") for name in ("topic", "partition", "offset", "reason", "detail", "service")
    }
    place = f"{why['topic']}:{why['partition']}:{why['offset']}"
    return f" refused at {place} by {why['service']}: {why['reason']} {why['detail']}".rstrip()


def _full_name(part: str) -> str:
    from libs.contracts.topics import TOPICS

    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letter)]
    if part in names:
        return part
    found = [name for name in names if part in name and not name.endswith(".dlq")]
    if len(found) == 1:
        return found[0]
    what = "is no topic" if not found else f"could be {', '.join(found)}"
    raise typer.BadParameter(f"{part!r} {what}; see `perpstream topics list`")


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
