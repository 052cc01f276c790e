"""What the API says and hears of accounts, sign-ins, sessions and tokens."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from libs.store.people import Role
from services.gateway.models.base import Answer
from services.gateway.passwords import LEAST_LENGTH, MOST_LENGTH

GivenTo = Literal["page", "program"]
Scope = Literal["read", "trade", "administer"]
TokenScope = Literal["read", "trade"]
"""What a program may get: it never administers."""


def _printable(text: str) -> str:
    """PostgreSQL takes no NUL in a text, and no name here holds what cannot be printed."""
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


AccountName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{1,31}$", examples=["ada"])]
Label = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_printable)]
Code = Annotated[str, Field(min_length=8, max_length=60), AfterValidator(_printable)]


_HALF = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r"[!-~]{1,200}")


def is_text(value: Any) -> bool:
    """Whether all text in a JSON value is Unicode. JSON may name half a character (`"\\ud800"`), which Python reads and nobody
    can write, hash or answer."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) and _HALF.search(each):
            return False
    return True


class Asked(BaseModel):
    """Base of what is sent to us: no unknown fields, no text that PostgreSQL cannot keep."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _only_text(cls, value: Any) -> Any:
        # Secrets and free-form objects are not looked at by pydantic, which refuses this in every other text.
        if not is_text(value):
            raise ValueError("text must be Unicode, without halves of characters")
        return value


class SignInFor(Asked):
    """Who keeps the tokens of a sign-in."""

    given_to: GivenTo = Field(
        default="page", description="page: as cookies that no script reads; program: in the answer's body"
    )


class Tokens(Answer):
    """What a program keeps."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiJ9..."], description="Send it as `Authorization: Bearer`")
    refresh_token: str = Field(examples=["4N2_hx..."], description="Good for one POST /api/auth/refresh")


class SignedIn(Answer):
    """A sign-in. `tokens` is null for a page, which has cookies."""

    access_seconds: int = Field(examples=[600], description="The access token is good for this long")
    expires_ms: int = Field(examples=[1_725_667_200_000], description="The session ends then at the latest")
    tokens: Tokens | None


class Registration(SignInFor):
    """A new account."""

    code: Code = Field(examples=["K7QD-3FXM-9PLA-WZ4T-B2HN"], description="The invite, as it was given out")
    name: AccountName
    password: SecretStr = Field(min_length=LEAST_LENGTH, max_length=MOST_LENGTH)


class Login(SignInFor):
    """Name and password."""

    name: Annotated[str, AfterValidator(_printable)] = Field(min_length=1, max_length=64, examples=["ada"])
    password: SecretStr = Field(min_length=1, max_length=MOST_LENGTH)


def _ascii(token: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("must be a token as we gave it out")
    return token


class RefreshAsked(Asked):
    """A program sends its token; a page sends none, because its cookie says it."""

    refresh_token: Annotated[SecretStr, AfterValidator(_ascii)] | None = Field(default=None, max_length=200)


class PasswordChange(Asked):
    """Another password."""

    old_password: SecretStr = Field(min_length=1, max_length=MOST_LENGTH)
    new_password: SecretStr = Field(min_length=LEAST_LENGTH, max_length=MOST_LENGTH)
    keep_tokens: bool = Field(
        default=False, strict=True, description="Your API tokens go on; whoever made one with the old password keeps it"
    )


class PasswordReset(Asked):
    """A new password for who has forgotten theirs."""

    code: Code = Field(
        examples=["K7QD-3FXM-9PLA-WZ4T-B2HN"], description="As `perpstream admin reset-password` printed it"
    )
    new_password: SecretStr = Field(min_length=LEAST_LENGTH, max_length=MOST_LENGTH)


class PasswordAgain(Asked):
    """The password once more: who has only found a screen unlocked does not know it."""

    password: SecretStr = Field(min_length=1, max_length=MOST_LENGTH)


class FactorCode(Asked):
    """A code of the authenticator app, or a recovery code."""

    code: str = Field(min_length=6, max_length=40, examples=["492039"])


class FactorRemoval(PasswordAgain):
    """Password and code, to take the second factor away."""

    code: str = Field(min_length=6, max_length=40, examples=["492039"])


class Me(Answer):
    """Who asks, and what they may."""

    name: str = Field(examples=["ada"])
    role: Role
    scopes: tuple[Scope, ...] = Field(examples=[["read", "trade"]])
    is_local_viewer: bool = Field(description="Signed in by a demonstration, without an account")
    second_factor: bool = Field(description="Whether a second factor is in force")
    proven_until_ms: int | None = Field(
        examples=[1_723_075_500_000],
        description="What raises risk may be done until then; null: give the second factor first",
    )
    session_id: str | None = Field(examples=["8c1f02ab77de4c3f9a8b1c2d3e4f5061"])
    token_id: str | None = Field(examples=[None], description="The API token that was sent, if one was")


class SessionAnswer(Answer):
    """A sign-in on a device."""

    session_id: str = Field(examples=["8c1f02ab77de4c3f9a8b1c2d3e4f5061"])
    created_ms: int = Field(examples=[1_723_075_200_000])
    seen_ms: int = Field(examples=[1_723_078_800_000], description="Its last refresh")
    expires_ms: int = Field(examples=[1_725_667_200_000])
    address: str = Field(examples=["127.0.0.1"])
    device: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"])
    current: bool = Field(description="The one that asks")


class Sessions(Answer):
    """The newest first."""

    sessions: tuple[SessionAnswer, ...]


class Ended(Answer):
    """How many sessions ended."""

    ended: int = Field(examples=[3])


class PasswordChanged(Ended):
    """How many sessions and API tokens ended."""

    tokens_ended: int = Field(examples=[1])


class NewFactor(Answer):
    """A second factor that is in force once it is confirmed."""

    secret: str = Field(examples=["JBSWY3DPEHPK3PXP"], description="For typing it into the app; shown this once")
    uri: str = Field(examples=["otpauth://totp/Perpstream:ada?secret=JBSWY3DPEHPK3PXP"], description="As a QR code")


class RecoveryCodes(Answer):
    """Each stands in for the app once. Shown this once."""

    recovery_codes: tuple[str, ...] = Field(examples=[["K7QD-3FXM-9PLA", "WZ4T-B2HN-XR6C"]])


class Proof(Answer):
    """What raises risk may be done until then."""

    proven_until_ms: int = Field(examples=[1_723_075_500_000])


class NewToken(PasswordAgain):
    """An API token for a program."""

    name: Label = Field(examples=["grafana"])
    scopes: tuple[TokenScope, ...] = Field(
        min_length=1,
        max_length=2,
        examples=[["read"]],
        description="trade: also what reduces risk, never what raises it",
    )
    days: int = Field(default=90, strict=True, ge=1, le=366, description="Good for so many days")


class TokenAnswer(Answer):
    """An API token, without the token itself."""

    token_id: str = Field(examples=["5b2c7a90f1e34d68"])
    name: str = Field(examples=["grafana"])
    scopes: tuple[TokenScope, ...] = Field(examples=[["read"]])
    created_ms: int = Field(examples=[1_723_075_200_000])
    expires_ms: int = Field(examples=[1_730_851_200_000])
    used_ms: int | None = Field(examples=[1_723_078_800_000])


class MadeToken(Answer):
    """A new API token. It is shown this once."""

    token: str = Field(examples=["pst_4N2_hx..."], description="Send it as `Authorization: Bearer`")
    details: TokenAnswer


class ApiTokens(Answer):
    """The newest first."""

    tokens: tuple[TokenAnswer, ...]


class UserAnswer(Answer):
    """An account, as an administrator sees it."""

    name: str = Field(examples=["ada"])
    role: Role
    created_ms: int = Field(examples=[1_723_075_200_000])
    created_by: str = Field(examples=["the operator"])
    banned_ms: int | None = Field(examples=[None])
    second_factor: bool


class Users(Answer):
    """By name."""

    users: tuple[UserAnswer, ...]


class RoleChange(Asked):
    """Another role."""

    role: Role


class NewInvite(Asked):
    """An invite to make."""

    role: Role = Field(default="viewer", description="Of the account that it makes")
    hours: int = Field(default=72, strict=True, ge=1, le=24 * 30, description="Good for so many hours")


class InviteAnswer(Answer):
    """An invite, without its code."""

    code_id: str = Field(examples=["5b2c7a90f1e34d68"])
    role: Role
    state: Literal["open", "used", "revoked", "expired"]
    created_by: str = Field(examples=["ada"])
    created_ms: int = Field(examples=[1_723_075_200_000])
    expires_ms: int = Field(examples=[1_723_334_400_000])
    used_by: str | None = Field(examples=[None])


class MadeInvite(Answer):
    """A new invite. Its code is shown this once."""

    code: str = Field(examples=["K7QD-3FXM-9PLA-WZ4T-B2HN"])
    details: InviteAnswer


class Invites(Answer):
    """The newest first."""

    invites: tuple[InviteAnswer, ...]
