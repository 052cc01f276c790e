"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and codes on paper for when the app is lost."""

import base64
import hmac
from dataclasses import dataclass, field

import pyotp
from cryptography.fernet import Fernet, InvalidToken

from libs.kit.errors import ConfigurationError

STEP_SECONDS = 30
PROOF_SECONDS = 300
RECOVERY_CODES = 10
_ISSUER = "Perpstream"
# A clock that is half a minute off, in either direction (RFC 6238, 5.2).
_OFFSETS = (0, -1, 1)


@dataclass(frozen=True, slots=True)
class Factors:
    """`key` encrypts the secrets that are kept: who reads the database has no second factor of anybody."""

    key: bytes = field(repr=False)

    def new(self, name: str) -> tuple[str, str]:
        """A secret for the app, and the address that it scans."""
        secret = pyotp.random_base32()
        return secret, pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=name, issuer_name=_ISSUER)

    def sealed(self, secret: str) -> str:
        """The secret as it is kept."""
        return self._box().encrypt(secret.encode()).decode()

    def step_of(self, sealed: str, code: str, now: float) -> int | None:
        """The time step that this code belongs to; None for a wrong one. Raises `ConfigurationError` where the secret was sealed
        with another key."""
        try:
            secret = self._box().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ConfigurationError(
                "this second factor cannot be read: the gateway's secret is another one",
                where="PERPSTREAM_GATEWAY_STATE_DIR",
                todo="restore its file `secret`, or perpstream admin reset-password NAME --second-factor",
            ) from None
        totp, step = pyotp.TOTP(secret, interval=STEP_SECONDS), int(now) // STEP_SECONDS
        given = code.encode()  # as text, what is not ASCII is compared with nothing and raises
        found = [step + by for by in _OFFSETS if hmac.compare_digest(totp.generate_otp(step + by).encode(), given)]
        return found[0] if found else None

    def _box(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self.key))
