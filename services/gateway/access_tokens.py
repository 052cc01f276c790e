"""Access tokens: short-lived JWTs that name a session. What its owner may do stands in the database and never in the token."""

from dataclasses import dataclass, field

import jwt

ACCESS_SECONDS = 600
API_TOKEN_PREFIX = "pst_"  # noqa: S105 - not a token, but what each begins with, so that scanners find those that leak
_ALGORITHM, _ISSUER, _AUDIENCE = "HS256", "perpstream", "perpstream-api"
_NEEDED = ["exp", "iat", "iss", "aud", "sub", "sid"]


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """Signs and reads them with a key of our own alone (HMAC-SHA-256, RFC 7519)."""

    key: bytes = field(repr=False)

    def issue(self, user_id: str, session_id: str, now: float) -> str:
        """A token for a session from `now` (seconds since the epoch) on; good for `ACCESS_SECONDS`."""
        issued = int(now)
        claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": user_id, "sid": session_id, "iat": issued}
        return jwt.encode(claims | {"exp": issued + ACCESS_SECONDS}, self.key, algorithm=_ALGORITHM)

    def session_of(self, token: str, now: float) -> str | None:
        """The session that the token names; None for one that is over at `now`, or is none of ours."""
        try:
            claims = jwt.decode(
                token,
                self.key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                # Times are compared with our own clock below: the library would take the machine's.
                options={"require": _NEEDED, "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return None
        return str(claims["sid"]) if claims["iat"] <= now < claims["exp"] else None
