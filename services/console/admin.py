"""`perpstream admin`: who may use the gateway. It works on the database and needs no account; the audit names your login."""

import datetime as dt
import getpass
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from libs.kit.errors import UserError
from services.console.database import with_engine
from services.console.output import AsJson, StateDir, console, print_json

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from libs.store.engine import WriteSession
    from libs.store.people import User
    from libs.store.people_admin import By, MadeCode

T = TypeVar("T")
RoleName = Literal["viewer", "trader", "admin"]
Name = Annotated[str, typer.Argument(help="The account's name", metavar="NAME")]
app = typer.Typer(
    help="Accounts of the gateway: invites, roles, bans, lost passwords.",
    epilog="Examples: `perpstream admin gen-invite --role admin`, `perpstream admin list-users`, `perpstream admin ban-user eve`",
    no_args_is_help=True,
)


def _by() -> "By":
    from libs.store.audit import Actor
    from libs.store.people_admin import By

    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        login = "operator"
    return By(Actor(f"{login} (perpstream admin)"), dt.datetime.now(dt.UTC))


def _changed(state_dir: StateDir, change: "Callable[[WriteSession, By], Awaitable[T]]") -> T:
    """What `change` gives, in one transaction with its row in the audit."""
    from libs.store.engine import write_session

    async def work(engine: "AsyncEngine") -> T:
        async with write_session(engine) as session:
            return await change(session, _by())

    return with_engine(state_dir, work)


async def _user(session: "WriteSession", name: str) -> "User":
    from libs.store.people import user_named

    user = await user_named(session, name.lower())
    if user is None:
        raise UserError(f"there is no account {name}", todo="perpstream admin list-users")
    return user


@app.command(
    "gen-invite",
    epilog="Examples: `perpstream admin gen-invite --role admin`, `perpstream admin gen-invite --role trader --hours 24 --json`",
)
def gen_invite(
    role: Annotated[RoleName, typer.Option(help="Of the account that it makes")] = "viewer",
    hours: Annotated[float, typer.Option(min=0.1, max=720, help="Good for so many hours")] = 72,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a code with which one person makes an account, and print it. It is kept nowhere."""
    from libs.store.people_admin import make_invite

    made = _changed(state_dir, lambda session, by: make_invite(session, role, dt.timedelta(hours=hours), by))
    _tell_code(made, as_json, {"role": role}, "registers one account: enter it on the page /register")


def _tell_code(made: "MadeCode", as_json: bool, facts: dict[str, object], use: str) -> None:
    if as_json:
        print_json({"code": made.code, "code_id": made.code_id, "expires_at": made.expires_at, **facts})
        return
    console().print(made.code, markup=False)
    console().print(f"{use}; good once, until {_utc(made.expires_at)}", style="dim", markup=False)


@app.command("list-invites", epilog="Examples: `perpstream admin list-invites`, `perpstream admin list-invites --json`")
def list_invites(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show the newest invites, what became of them, and their ids. Codes are kept nowhere."""
    from rich.table import Table

    from libs.store.engine import read_session
    from libs.store.one_time_codes import Invite, invites

    async def work(engine: "AsyncEngine") -> list[Invite]:
        async with read_session(engine) as session:
            return await invites(session)

    now = dt.datetime.now(dt.UTC)
    found = with_engine(state_dir, work)
    if as_json:
        print_json(
            [{name: getattr(row, name) for name in Invite.__slots__} | {"state": row.state(now)} for row in found]
        )
        return
    table = Table("id", "role", "state", "made by", "made", "good until", "used by", box=None, pad_edge=False)
    for row in found:
        times = _utc(row.created_at), _utc(row.expires_at)
        table.add_row(row.code_id, row.role, row.state(now), row.created_by, *times, row.used_by or "")
    console().print(table if found else "there is no invite yet: perpstream admin gen-invite")


@app.command("revoke-invite", epilog="Example: `perpstream admin revoke-invite 5b2c7a90f1e34d68`")
def revoke_invite(
    code_id: Annotated[str, typer.Argument(help="The invite's id", metavar="ID")], state_dir: StateDir = None
) -> None:
    """Let an invite open nothing any more."""
    from libs.store.people_admin import withdraw_invite

    if not _changed(state_dir, lambda session, by: withdraw_invite(session, code_id, by)):
        raise UserError(f"no invite {code_id} can be used", todo="perpstream admin list-invites")
    console().print(f"{code_id} opens nothing any more", markup=False)


@app.command("list-users", epilog="Examples: `perpstream admin list-users`, `perpstream admin list-users --json`")
def list_users(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show every account: role, second factor, ban."""
    from rich.table import Table

    from libs.store.engine import read_session
    from libs.store.people import User, all_users

    async def work(engine: "AsyncEngine") -> list[User]:
        async with read_session(engine) as session:
            return await all_users(session)

    found = with_engine(state_dir, work)
    if as_json:
        print_json([_facts(user) for user in found])
        return
    table = Table("name", "role", "second factor", "since", "made by", "banned", box=None, pad_edge=False)
    for user in found:
        factor = "yes" if user.second_factor_since else "no"
        banned = "" if user.banned_at is None else f"since {_utc(user.banned_at)}"
        table.add_row(user.name, user.role, factor, _utc(user.created_at), user.created_by, banned)
    console().print(table if found else "there is no account yet: perpstream admin gen-invite --role admin")


def _facts(user: "User") -> dict[str, object]:
    """Without hashes and secrets."""
    return {
        "name": user.name,
        "role": user.role,
        "second_factor": user.second_factor_since is not None,
        "created_at": user.created_at,
        "created_by": user.created_by,
        "banned_at": user.banned_at,
    }


@app.command("ban-user", epilog="Example: `perpstream admin ban-user eve`")
def ban(name: Name, state_dir: StateDir = None) -> None:
    """Shut an account out at once: every session, API token and open stream of it ends."""
    from libs.store.people_admin import ban_user

    async def change(session: "WriteSession", by: "By") -> None:
        await ban_user(session, await _user(session, name), by)

    _changed(state_dir, change)
    console().print(f"{name} is out, and stays so until `perpstream admin unban-user {name}`", markup=False)


@app.command("unban-user", epilog="Example: `perpstream admin unban-user eve`")
def unban(name: Name, state_dir: StateDir = None) -> None:
    """Let an account log in again."""
    from libs.store.people_admin import unban_user

    async def change(session: "WriteSession", by: "By") -> None:
        await unban_user(session, await _user(session, name), by)

    _changed(state_dir, change)
    console().print(f"{name} may log in again", markup=False)


def _give(name: str, role: RoleName, state_dir: StateDir) -> None:
    from libs.store.people_admin import change_role

    async def change(session: "WriteSession", by: "By") -> str:
        user = await _user(session, name)
        if user.password_hash is None:
            raise UserError(f"{name} is no person's account", todo="take an account that has a password")
        await change_role(session, user, role, by)
        return user.role

    before = _changed(state_dir, change)
    console().print(f"{name} was {before} and is {role} from the next request on", markup=False)


@app.command("set-role", epilog="Example: `perpstream admin set-role ada trader`")
def set_role(
    name: Name, role: Annotated[RoleName, typer.Argument(help="viewer, trader or admin")], state_dir: StateDir = None
) -> None:
    """Give an account another role."""
    _give(name, role, state_dir)


@app.command("set-admin", epilog="Example: `perpstream admin set-admin ada`")
def set_admin(name: Name, state_dir: StateDir = None) -> None:
    """Make an account an administrator: `set-role NAME admin`."""
    _give(name, "admin", state_dir)


@app.command(
    "reset-password",
    epilog="Examples: `perpstream admin reset-password ada`, `perpstream admin reset-password ada --second-factor --json`",
)
def reset_password(
    name: Name,
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Remove the second factor too, because it is lost")
    ] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Sign this person out everywhere, and print a code with which they set a new password within an hour; the old one counts no
    longer. No password passes through the command line."""
    from libs.store.people_admin import make_reset

    async def change(session: "WriteSession", by: "By") -> "MadeCode":
        return await make_reset(session, await _user(session, name), by, second_factor=second_factor)

    made = _changed(state_dir, change)
    _tell_code(made, as_json, {"name": name}, f"sets a new password for {name}: enter it on the page /login")


def _utc(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M}Z"
