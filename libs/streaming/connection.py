"""The one sentence for a broker that does not answer, and how long the first answer may take."""

from libs.kit.errors import UnreachableError

CONNECT_SECONDS = 15.0


def unreachable(bootstrap: str, error: BaseException) -> UnreachableError:
    """The one sentence for a broker that does not answer."""
    return UnreachableError(
        f"Kafka does not answer: {type(error).__name__}",
        where=bootstrap,
        todo="start the broker, or set PERPSTREAM_KAFKA_BOOTSTRAP",
    )
