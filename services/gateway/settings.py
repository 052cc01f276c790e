"""Where the gateway listens, and whom it lets in. Without a word of the operator it serves this machine only."""

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from libs.kit.hosts import is_loopback
from libs.kit.settings import SettingsGroup
from services.gateway.stack import named_services

Network = IPv4Network | IPv6Network
Names = Annotated[tuple[str, ...], NoDecode]


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class GatewaySettings(SettingsGroup):
    """Nothing but loopback is opened, unless the operator says what stands in front: a container engine that publishes the port
    on the host's loopback only, or a proxy that speaks TLS. Passwords and cookies must never cross a network in the clear."""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8000, ge=0, le=65535, description="0 picks a free port")
    gateway_published_on_loopback: bool = Field(
        default=False, description="A container engine publishes the port on the host's loopback address only"
    )
    gateway_behind_tls: bool = Field(
        default=False,
        description="A proxy that speaks TLS stands in front: other addresses may be opened, cookies become Secure",
    )
    gateway_hosts: Names = Field(
        default=(), description="Names under which people reach it, comma separated; localhost always is one"
    )
    gateway_proxies: Names = Field(
        default=("127.0.0.0/8", "::1"), description="Networks of the TLS proxy, whose X-Forwarded-For is believed"
    )
    gateway_cors_origins: Names = Field(
        default=(), description="Origins of other pages that may call with a bearer token, like https://desk.example"
    )

    _split_names = field_validator("gateway_hosts", "gateway_proxies", "gateway_cors_origins", mode="before")(_split)

    @field_validator("gateway_hosts")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not name or set(name) & set("/*: ") for name in value):
            raise ValueError("write names only, without port, scheme or *: desk.example,192.168.1.5")
        return tuple(name.lower() for name in value)

    @field_validator("gateway_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            ip_network(name)
        return value

    @field_validator("gateway_cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.netloc
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"{origin!r} is no origin: write https://desk.example")
        return value

    @model_validator(mode="after")
    def _only_this_machine(self) -> "GatewaySettings":
        guarded = self.gateway_published_on_loopback or self.gateway_behind_tls
        if not is_loopback(self.gateway_host) and not guarded:
            raise ValueError(
                f"PERPSTREAM_GATEWAY_HOST is {self.gateway_host}; only localhost is served in the clear: use 127.0.0.1, or put a"
                " TLS proxy in front and say so with PERPSTREAM_GATEWAY_BEHIND_TLS=true"
            )
        return self

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        """Whose word about the caller's address counts: nobody's without a TLS proxy."""
        return tuple(map(ip_network, self.gateway_proxies)) if self.gateway_behind_tls else ()


class AccessSettings(SettingsGroup):
    """Who comes in, and how often."""

    gateway_state_dir: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("perpstream") / "gateway",
        description="Folder of the gateway's secret (mode 600, made at the first start)",
    )
    gateway_local_viewer: bool = Field(
        default=False,
        description="Signs in whoever is on this machine as a viewer; only on loopback, with the simulator, without other names",
    )
    gateway_requests_per_second: float = Field(
        default=500.0, gt=0, description="Requests that one address, and one person, may make; twice as many at once"
    )
    gateway_sign_ins_per_minute: float = Field(
        default=30.0, gt=0, description="Log-ins, registrations and codes that one address may try; as many at once"
    )


class ServerSettings(SettingsGroup):
    """Whom `/api/server` asks how they are."""

    gateway_services: Names = Field(
        default=(),
        description="NAME=URL of health ports, comma separated; unset: the services that `perpstream up` has started",
    )

    _split_names = field_validator("gateway_services", mode="before")(_split)

    @field_validator("gateway_services")
    @classmethod
    def _urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        named_services(value)
        return value
