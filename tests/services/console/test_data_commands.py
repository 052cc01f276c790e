"""The commands of `perpstream data` as a person sees them: a line for every file, exit codes, and 80 columns."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress

from infra.local.options import ROOT
from libs.store.engine import write_session
from libs.store.market_facts import Placed, write_market_facts
from libs.store.migrate import upgrade
from services.console.file_progress import FileProgress, progress_bar
from tests.services.console.archive_files import HEADER, trade_lines, write_file
from tests.services.console.history_database import opened_engine, rows_of
from tests.services.processes import eventually
from tests.services.recorder.timelines import liquidation

SPAN = ("--from", "2024-08-07", "--to", "2024-08-09Z")
BEGUN = "SELECT lines_done FROM data_imports WHERE lines_done > 0 AND finished_at IS NULL"


class CommandLine:
    """`perpstream data` on one database, 80 columns wide."""

    def __init__(self, url: str, folder: Path) -> None:
        self._variables = {"PERPSTREAM_DATABASE_URL": url, "PERPSTREAM_STATE_DIR": str(folder / "state")}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "services.console", "data", *arguments],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80", **self._variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, said = process.communicate(timeout=60)
        return process.returncode, out, said


@pytest.fixture
def perpstream(database_url: str, tmp_path: Path) -> CommandLine:
    return CommandLine(database_url, tmp_path)


@pytest.mark.integration
def test_a_folder_with_everything_in_it(perpstream: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    write_file(folder / "BTCUSDT-aggTrades-2024-08-07.zip", [HEADER, *trade_lines(0, 50)], checksum=True)
    write_file(folder / "BTCUSDT-aggTrades-2024-08-08.zip", [*trade_lines(50, 50), *trade_lines(120, 30)])
    write_file(folder / "ETHUSDT-aggTrades-2024-08-07_and_a_name_that_is_longer_than_it_needs.csv", trade_lines(0, 5))
    (folder / "ETHUSDT-1m-2024-08.csv").touch()
    (folder / "README.md").write_text("about")
    code, out, said = perpstream.run("import", str(folder))
    assert code == 1
    assert said == "skipped, because no archive: 1 file (README.md)\n"
    lines = out.splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines[:6]), out
    assert [line.split()[1] for line in lines[1:4]] == ["broken", "imported", "broken"]
    assert "ETHUSDT-1m-2024-08.csv: the file is empty" in out
    assert "the ids 100 to 119 are missing before it" in out
    assert "checksums that fit: 1" in out
    # The rest of the story: recorded as lost, proven never to have existed, whole, exported.
    assert perpstream.run("import", str(folder / "BTCUSDT-aggTrades-2024-08-08.zip"), "--allow-gaps")[0] == 0
    code, out, _ = perpstream.run("verify", "BTCUSDT", *SPAN)
    assert (code, "missing 100 to 119" in out, "known as: archive_has_a_gap" in out) == (1, True, True), out
    assert max(map(len, out.splitlines()[:4])) <= 80
    code, out, _ = perpstream.run("verify", "BTCUSDT", *SPAN, "--repair", str(folder), "--json")
    facts = json.loads(out)
    assert (code, facts["sound"], [day["never_existed"] for day in facts["days"]]) == (0, True, [20]), out
    code, out, _ = perpstream.run("verify", "BTCUSDT", *SPAN)
    assert (code, "never existed: 100 to 119" in out, "100.0000" in out) == (0, True, True), out
    code, _, said = perpstream.run("export", str(tmp_path / "out"), "--symbols", "BTCUSDT,NOPE", *SPAN)
    assert (code, "nothing is stored of NOPE (--symbols): known symbols: BTCUSDT, ETHUSDT" in said) == (1, True), said
    code, _, said = perpstream.run("export", str(tmp_path / "out"), "--from", "2023-08-07", "--to", "2023-08-09")
    assert (code, "nothing is stored there" in said) == (1, True), said
    code, _, said = perpstream.run("export", str(tmp_path / "out"), "--from", "2024-08-07", "--to", "2024-08-07T12:00")
    assert (code, "whole UTC days" in said) == (2, True), said


@pytest.mark.integration
def test_files_that_contradict_each_other_fail_in_one_line(perpstream: CommandLine, tmp_path: Path) -> None:
    """Two extracts that each count their ids from 0; the first is stored, and importing it again contradicts nothing."""
    first = write_file(tmp_path / "BTCUSDT-aggTrades-2024-08-07.csv", trade_lines(0, 50))
    others = [",".join([number, "1.5", *rest]) for number, _, *rest in (each.split(",") for each in trade_lines(0, 50))]
    second = write_file(tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv", others)
    assert perpstream.run("import", str(first))[0] == 0
    code, out, said = perpstream.run("import", str(second), "--json")
    assert [report["conflicts"] for report in json.loads(out)] == [50], out
    assert code == 1, "a contradiction ended with success"
    assert said == (
        f"perpstream: 50 rows contradict what is stored; the first of each stays ({second.name}): import files that contradict "
        "each other into databases of their own (`perpstream db create NAME`)\n"
    )
    code, _, said = perpstream.run("import", str(first), "--again")
    assert (code, said) == (0, "")


@pytest.mark.integration
async def test_an_interrupted_import_says_that_it_goes_on(
    perpstream: CommandLine, database_url: str, tmp_path: Path
) -> None:
    first = write_file(tmp_path / "BTCUSDT-aggTrades-2024-08-07.csv", trade_lines(0, 500_000))
    second = write_file(tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv", trade_lines(500_000, 10))
    process = perpstream.start("import", str(first), str(second))
    async with opened_engine(database_url) as engine:

        async def begun() -> bool:
            there = await rows_of(engine, "SELECT to_regclass('data_imports') IS NOT NULL")
            return bool(there[0][0] and await rows_of(engine, BEGUN))

        await eventually(begun, 60.0, lambda: "nothing was stored")
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "interrupted; what is written stays, and the same command goes on from there" in said
        assert [line.split()[1] for line in out.splitlines()[1:3]] == ["interrupted", "not"], out
        code, out, _ = perpstream.run("import", str(first), str(second), "--json")
        reports = json.loads(out)
        assert (code, [report["state"] for report in reports]) == (0, ["resumed", "imported"])
        assert reports[0]["known"] == 0
        assert await rows_of(engine, "SELECT row_count, missing_count FROM agg_trades_meta") == [(500_010, 0)]


@pytest.mark.integration
async def test_words_of_others_are_shown_as_they_are(
    perpstream: CommandLine, database_url: str, tmp_path: Path
) -> None:
    file = write_file(tmp_path / "BTCUSDT-aggTrades-2024-08-08[bold].csv", [*trade_lines(0, 5), *trade_lines(9, 5)])
    code, out, said = await asyncio.to_thread(perpstream.run, "import", str(file), "--allow-gaps")
    assert (code, "2024-08-08[bold].csv" in out) == (0, True), out + said
    async with opened_engine(database_url) as engine, write_session(engine) as session:
        await session.raw.execute("UPDATE market_data_gaps SET cause = '[/x]'")
    code, out, said = await asyncio.to_thread(perpstream.run, "verify", "BTCUSDT", *SPAN)
    assert (code, "known as: [/x]" in out) == (1, True), out + said
    code, out, said = await asyncio.to_thread(perpstream.run, "verify", "[/x]", *SPAN)
    assert (code, "[/X] from" in out) == (1, True), out + said


@pytest.mark.parametrize("width", [40, 80])
def test_the_bar_stays_on_one_line(width: int) -> None:
    screen = Console(file=io.StringIO(), width=width, force_terminal=True)
    bar: Progress = progress_bar(screen)
    shown = FileProgress(bar)
    shown.start("um_btcusdt_aggtrades_derived_20230404_05.csv.gz", "importing", 1_000_000_000)
    shown.move(123_456_789)
    lines = screen.render_lines(bar.get_renderable())
    assert len(lines) == 1
    text = "".join(part.text for part in lines[0])
    assert "impor" in text
    assert "12%" in text


@pytest.mark.integration
async def test_an_export_names_what_it_left_out_and_writes_the_rest(
    perpstream: CommandLine, database_url: str, tmp_path: Path
) -> None:
    huge = replace(liquidation(1), event_id="l:huge", quantity=Decimal("1E+40"))
    fits = replace(liquidation(2), symbol="ETHUSDT")
    async with opened_engine(database_url) as engine:
        await upgrade(engine)
        async with write_session(engine) as session:
            await write_market_facts(session, [Placed(huge, -1), Placed(fits, -1)])
    always = ("--from", "1970-01-01", "--to", "2100-01-01")
    code, out, said = await asyncio.to_thread(perpstream.run, "export", str(tmp_path / "out"), *always, "--json")
    assert (code, [file["rows"] for file in json.loads(out)]) == (1, [1]), said
    assert "the quantity of 'l:huge'" in said
    assert "(liquidations of 'BTCUSDT', 2024-08-08)" in said
