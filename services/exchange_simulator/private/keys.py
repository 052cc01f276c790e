"""Accounts and their API keys: from a file, or made at the first start and kept in the state folder, readable by its owner."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from libs.kit.errors import ConfigurationError
from services.exchange_simulator.faults.plan import explain

ACCOUNTS_FILE = "accounts.json"
_PATTERN = r"^[A-Za-z0-9_.-]{1,100}$"


class KeyRights(BaseModel):
    """What a key may do, with the venue's names for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reading: bool = True
    futures: bool = True
    withdrawals: bool = False
    internal_transfer: bool = False
    universal_transfer: bool = False
    ip_restrict: bool = False


class ApiKey(BaseModel):
    """A key and how its requests are signed: HMAC-SHA256 with `secret`, or Ed25519, of which we know the public half (PEM)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=_PATTERN)
    secret: str = Field(default="", repr=False)
    public_key: str = ""
    rights: KeyRights = KeyRights()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.secret) == bool(self.public_key):
            raise ValueError("give secret (HMAC-SHA256) or public_key (Ed25519, PEM), one of them")
        if self.public_key:
            try:
                found = load_pem_public_key(self.public_key.encode())
            except ValueError:
                raise ValueError("public_key is no key in PEM form") from None
            if not isinstance(found, Ed25519PublicKey):
                raise ValueError("public_key is not an Ed25519 key")
        return self

    def signed(self, payload: bytes, signature: str) -> bool:
        """Whether `signature` is this key's over exactly these bytes."""
        if self.secret:
            expected = hmac.new(self.secret.encode(), payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(expected.encode(), signature.lower().encode())
        public = load_pem_public_key(self.public_key.encode())
        assert isinstance(public, Ed25519PublicKey), "checked when it was read"
        try:
            public.verify(base64.b64decode(signature, validate=True), payload)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


class AccountPlan(BaseModel):
    """An account as it begins. What it has later is in the journal, whatever the file says then."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_PATTERN)
    balances: dict[str, Decimal] = {"USDT": Decimal(10_000)}
    hedged: bool = False
    pays_in_bnb: bool = False
    keys: tuple[ApiKey, ...] = ()


_PLANS: TypeAdapter[tuple[AccountPlan, ...]] = TypeAdapter(tuple[AccountPlan, ...])


class KeyRing:
    """Which key belongs to which account."""

    def __init__(self, plans: Iterable[AccountPlan]) -> None:
        self.plans = tuple(plans)
        self._by_key = {key.key: (plan.name, key) for plan in self.plans for key in plan.keys}

    def find(self, key: str) -> tuple[str, ApiKey] | None:
        """The account's name and the key."""
        return self._by_key.get(key)


def read_accounts(path: Path) -> KeyRing:
    """Raises `ConfigurationError` for a file that is not there, or that holds something else."""
    todo = "correct it; services/exchange_simulator/README.md shows one"
    try:
        plans = _PLANS.validate_json(path.read_bytes())
    except OSError as error:
        what = f"the file of accounts cannot be read: {error.strerror}"
        raise ConfigurationError(what, where=str(path), todo=todo) from None
    except ValidationError as error:
        what = f"the file of accounts is wrong: {explain(error)}"
        raise ConfigurationError(what, where=str(path), todo=todo) from None
    names = [plan.name for plan in plans]
    keys = [key.key for plan in plans for key in plan.keys]
    if len(set(names)) != len(names) or len(set(keys)) != len(keys):
        raise ConfigurationError("an account's name or a key stands there twice", where=str(path), todo=todo)
    return KeyRing(plans)


def open_accounts(folder: Path, given: Path | None) -> KeyRing:
    """The accounts of a file, or else of the state folder, which gets one account with a new key when it has none."""
    if given is not None:
        return read_accounts(given)
    path = folder / ACCOUNTS_FILE
    if not path.exists():
        key = ApiKey(key=secrets.token_hex(32), secret=secrets.token_hex(32))
        body = _PLANS.dump_json((AccountPlan(name="main", keys=(key,)),), indent=1)
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(body)
        new.replace(path)
    return read_accounts(path)
