"""The database dies under the gateway, and comes back."""

from tests.services.gateway.conftest import Caller
from tests.support.servers import Database


def test_a_database_that_dies_is_said_and_a_database_that_returns_is_used(
    own_gateway: Caller, own_postgres: Database
) -> None:
    own_postgres.kill()
    answer = own_gateway.get("/api/trades/meta")
    assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
    assert own_gateway.get("/api/health").json["status"] == "degraded"
    rates = own_gateway.get("/api/rates").json
    assert [rate["symbol"] for rate in rates["rates"]] == ["BTCUSDT", "ETHUSDT"]
    assert rates["missing"] == ["SOLUSDT", "BNBUSDT"]
    own_postgres.start()
    assert own_gateway.get("/api/trades/meta").json["symbols"][0]["row_count"] == 201
