"""What a start has used and freed goes back to the system, once, when the service is ready."""

from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings


def test_a_service_gives_back_what_its_start_has_used_once() -> None:
    context = ServiceContext("test", ProcessSettings())
    context.expect("one", "two")
    context.fulfil("one")
    assert not context.was_ready
    context.fulfil("two")
    assert context.was_ready
    context.miss("two", "away")
    assert context.was_ready
    assert not context.ready
