"""`perpstream risk flatten --direct`: with the venue and the account's key alone, when guard, Kafka and database are dead."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec
import typer

from libs.exchanges.account import Account, open_account
from libs.exchanges.budget import Priority
from libs.exchanges.errors import VenueError
from libs.exchanges.flatten import Flattened, FlattenTerms, flatten_directly
from libs.exchanges.flatten_audit import AuditFile, AuditHead
from libs.exchanges.flatten_orders import FlattenIds, FlattenStep, MarketLot, market_lot
from libs.kit.errors import BadMessage, UserError
from libs.kit.installation import installation_name
from libs.kit.settings import AccountSettings, VenueSettings, load_settings
from services.console.account_places import kept_places
from services.console.asking import Asking
from services.console.commanding import now_ms
from services.console.key_choice import own_name
from services.console.output import console, print_json
from services.console.venues import venue_settings

NO_INSTALLATION = "direct"
_LOT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Run:
    """One flatten: whose word it was, the ids of its orders, and who is told of it where."""

    head: AuditHead
    ids: FlattenIds
    audit_dir: Path
    on_screen: bool


@dataclass(frozen=True, slots=True)
class Told:
    """Where each step goes: onto the disk, and before the person's eyes."""

    file: AuditFile
    on_screen: bool

    def __call__(self, step: FlattenStep) -> None:
        self.file(step)
        if self.on_screen:
            quantity = "" if step.quantity is None else f" {step.quantity:f}"
            console().print(f"{step.kind:<11} {step.symbol}{quantity} {step.words}".rstrip(), markup=False)


def flatten_here(asking: Asking, symbol: str | None) -> None:
    """Close a symbol, or everything with None, and say how it went. Raises `UserError` when something was left."""
    settings = load_settings(AccountSettings).model_copy(update={"account": asking.account_name})
    symbols = None if symbol is None else (symbol,)
    head = AuditHead(
        account=settings.account, issued_by=own_name(), reason=asking.reason, began_ms=now_ms(), symbols=symbols
    )
    audit_dir, installation = kept_places(asking.state_dir)
    ids = FlattenIds(settings.account, _installation(installation), f"direct {head.began_ms}", sender="direct")
    run = Run(head, ids, audit_dir, on_screen=not asking.as_json)
    ended, audit = asyncio.run(_flatten(settings, venue_settings(asking.state_dir), run))
    if asking.as_json:
        print_json({**msgspec.to_builtins(_facts(ended)), "audit": str(audit.path), "audit_trouble": audit.trouble})
        if not ended.flat:
            raise typer.Exit(1)
        return
    if audit.trouble is not None:
        console().print(f"the audit could not be written: {audit.trouble}", style="yellow", markup=False)
    if not ended.flat:
        raise UserError(
            f"not everything is closed: {'; '.join(ended.left)}",
            where=f"account {settings.account}",
            todo="say it again, and look at the venue's own page",
        )
    console().print(f"flat after {ended.took_ms / 1000:.1f} s; the audit is {audit.path}", markup=False)


def _facts(ended: Flattened) -> dict[str, object]:
    closed = {f"{symbol} {side}": quantity for (symbol, side), quantity in ended.closed.items()}
    return {"flat": ended.flat, "left": ended.left, "closed": closed, "took_ms": ended.took_ms}


async def _flatten(settings: AccountSettings, venue: VenueSettings, run: Run) -> tuple[Flattened, AuditFile]:
    async with open_account(settings, venue) as account:
        audit = AuditFile(run.audit_dir, run.head)
        try:
            terms = FlattenTerms(run.ids, account.clock, await _lots(account))
            told = Told(audit, run.on_screen)
            return await flatten_directly(account.trading, run.head.symbols, told, terms), audit
        finally:
            audit.close()


def _installation(file: Path) -> str:
    """Whose letters the orders bear. Without them it is closed all the same: they are at market, and rest nowhere."""
    try:
        return installation_name(file)
    except UserError:
        return NO_INSTALLATION


async def _lots(account: Account) -> dict[str, MarketLot]:
    """What a market order of each held symbol may have; where nobody says so in time, everything is tried in one piece."""
    try:
        async with asyncio.timeout(_LOT_SECONDS):
            held: Collection[str] = {one.symbol for one in await account.trading.positions() if one.amount}
            if not held:
                return {}
            found = await account.market_data.at(Priority.POSITIONS).instruments(sorted(held))
            return {symbol: market_lot(instrument) for symbol, instrument in found.items()}
    except (VenueError, UserError, BadMessage, TimeoutError):
        return {}
