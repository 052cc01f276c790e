"""What the API says and hears of accounts, sign-ins, sessions and tokens."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.models.base import Answer

GivenTo = Literal["page", "program"]


class Asked(BaseModel):
    """Base of what is sent to us: no unknown fields, no text that PostgreSQL cannot keep."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
