"""The one sentence for a broker that does not answer, and how long the first answer may take."""

from aiokafka.errors import KafkaError

from libs.kit.errors import UnreachableError

# For those who outlive a broker and must not import its client.
BrokerError = KafkaError

CONNECT_SECONDS = 15.0


def unreachable(bootstrap: str, error: BaseException) -> UnreachableError:
    """The one sentence for a broker that does not answer."""
    return UnreachableError(
        f"Kafka does not answer: {type(error).__name__}",
        where=bootstrap,
        todo="start the broker, or set PERPSTREAM_KAFKA_BOOTSTRAP",
    )
