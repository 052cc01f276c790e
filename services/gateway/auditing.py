"""Who a change is written down to: every route that changes something says so in the transaction of the change."""

from starlette.requests import HTTPConnection

from libs.store.audit import Actor
from services.gateway.access import Person, access_of


def actor_of(connection: HTTPConnection, person: Person) -> Actor:
    """The person who asks, from where."""
    return Actor(
        person.name,
        person.user_id,
        access_of(connection).address(connection),
        request_id_of(connection),
        person.session_id,
        person.token_id,
    )


def stranger(connection: HTTPConnection, name: str, user_id: str | None = None) -> Actor:
    """Somebody who is not signed in yet, under the name that they say."""
    return Actor(name, user_id, access_of(connection).address(connection), request_id_of(connection))


def request_id_of(connection: HTTPConnection) -> str | None:
    """The request's id, which the answer names too."""
    found: str | None = getattr(connection.state, "request_id", None)
    return found
