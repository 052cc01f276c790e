"""Where the gateway listens. There is no login yet, so it serves this machine only."""

from pydantic import Field, model_validator

from libs.kit.hosts import is_loopback
from libs.kit.settings import SettingsGroup


class GatewaySettings(SettingsGroup):
    """`gateway_published_on_loopback`: inside a container the port is opened on every interface and the container engine
    publishes it on the host's loopback only; the operator says so with this setting, else nothing but loopback is opened."""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(8000, ge=0, le=65535, description="0 picks a free port")
    gateway_published_on_loopback: bool = False

    @model_validator(mode="after")
    def _only_this_machine(self) -> "GatewaySettings":
        if not is_loopback(self.gateway_host) and not self.gateway_published_on_loopback:
            raise ValueError(
                f"PERPSTREAM_GATEWAY_HOST is {self.gateway_host}; until auth exists only localhost is served: use 127.0.0.1"
            )
        return self
