"""How many connections are taken: as many as the process may have files open, less those that it needs itself."""

import resource

from services.gateway.stream import MOST_STRANGERS, MOST_STREAMS

MOST_REQUESTS = 3_000
"""Connections beside the streams: browsers keep some open, and who sends nothing holds one for seconds (patience.py)."""
_MOST = MOST_STREAMS + MOST_STRANGERS + MOST_REQUESTS
_OWN_FILES = 200
"""For the database, Kafka, the log and the page's files: without them nothing could be answered to anybody."""


def may_open_many() -> None:
    """Let this process have as many files open as its connections need, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST + _OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def most_connections() -> int:
    """What comes beyond so many open connections is answered 503 at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else max(1, min(_MOST, soft - _OWN_FILES))
