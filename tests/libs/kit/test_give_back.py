"""What a start has used and freed goes back to the system, once, when the service is ready."""

from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings


def test_a_service_gives_back_what_its_start_has_used_once() -> None:
    given_back: list[bool] = []
    context = ServiceContext("test", ProcessSettings(), once_ready=lambda: given_back.append(context.ready))
    context.expect("one", "two")
    context.fulfil("one")
    assert given_back == []
    context.fulfil("two")
    assert given_back == [True]
    context.miss("two", "away")
    context.fulfil("two")
    assert given_back == [True]
