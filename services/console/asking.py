"""What commands on an account have in common: whose it is, why, and how the answer is to be read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from libs.kit.settings import AccountSettings, load_settings

Reason = Annotated[str, typer.Option(help="Why, for those who look at it later")]
AccountName = Annotated[
    str | None,
    typer.Option("--account", help="Which account [default: PERPSTREAM_ACCOUNT, else main]", show_default=False),
]


@dataclass(frozen=True, slots=True)
class Asking:
    """How a person asks: of which stack and account, why, and whether a script reads the answer."""

    state_dir: Path | None = None
    account: str | None = None
    reason: str = ""
    as_json: bool = False

    @property
    def account_name(self) -> str:
        return self.account if self.account is not None else load_settings(AccountSettings).account
