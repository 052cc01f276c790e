"""E-mail, Telegram, Slack, plain webhooks and whatever else Apprise speaks: one URL a channel, in Apprise's own form."""

import asyncio
import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from libs.kit.errors import ConfigurationError
from libs.notify import SEND_SECONDS, Delivered, Message, Outcome, Severity, TryLater

if TYPE_CHECKING:
    from apprise import Apprise

_TYPES: dict[Severity, str] = {"info": "info", "warning": "warning", "critical": "failure"}


@dataclass(slots=True)
class AppriseChannel:
    """One of Apprise's services; its URL is a secret. Apprise is loaded with the first message or check, not before."""

    name: str
    url: str = field(repr=False)
    _apprise: "Apprise | None" = field(default=None, init=False, repr=False)
    _sending: "Future[bool] | None" = field(default=None, init=False, repr=False)

    @property
    def kind(self) -> str:
        try:
            return urlsplit(self.url).scheme or "unknown"
        except ValueError:  # its text quotes the address
            return "unknown"

    def check(self) -> None:
        """Raises `ConfigurationError` for a URL that Apprise does not understand."""
        self._service()

    async def send(self, message: Message) -> Outcome:
        """See `Channel`. Apprise says yes or no and nothing of when to come back, so that pauses are ours.

        A thread that hangs is left behind: what it sends late has been counted as not delivered. The next one begins once it has
        ended, so that a service costs one thread at most, its own: the event loop's look up names for everybody.
        """
        if self._sending is not None and not self._sending.done():
            return TryLater("the last attempt has not come to its end yet", unknown=True)
        try:
            taken = await asyncio.wait_for(asyncio.wrap_future(self._begin(message)), SEND_SECONDS)
        except ConfigurationError as error:
            return TryLater(str(error.advice), 600.0)
        except TimeoutError:
            return TryLater(f"no answer within {SEND_SECONDS:g} s", unknown=True)
        except Exception as error:  # a library of a hundred services: none of them may end ours
            return TryLater(f"the service failed: {type(error).__name__}")
        return Delivered() if taken else TryLater("the service did not take the message")

    async def close(self) -> None:
        self._apprise = None

    def _begin(self, message: Message) -> "Future[bool]":
        """Send in a thread of the channel's own, which keeps no process from ending."""
        self._sending = done = Future[bool]()

        def work() -> None:
            try:
                taken = _notify(self._service(), message)
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(taken)

        # From here on it cannot be cancelled: whoever does not wait for it any more must not make its end an error.
        done.set_running_or_notify_cancel()
        threading.Thread(target=work, name=f"channel {self.name}", daemon=True).start()
        return done

    def _service(self) -> "Apprise":
        if self._apprise is None:
            from apprise import Apprise

            # It logs addresses and answers; we say ourselves what became of a message.
            logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
            made = Apprise()
            if not made.add(self.url):
                raise ConfigurationError(
                    f"the channel's URL is none that Apprise understands ({self.kind}://…)",
                    where=f"channel {self.name}",
                    todo="write it as Apprise's documentation shows for the service",
                )
            self._apprise = made
        return self._apprise


def _notify(service: "Apprise", message: Message) -> bool:
    from apprise import AppriseAttachment, NotifyFormat, NotifyType
    from apprise.attachment.memory import AttachMemory

    attach = None
    if message.png is not None:
        attach = AppriseAttachment()
        memory: Any = AttachMemory  # it has no types
        attach.add(memory(content=message.png, name="chart.png", mimetype="image/png"))
    lines = [message.text, *(f"{name}: {value}" for name, value in message.facts.items()), message.footer]
    return bool(
        service.notify(
            body="\n".join(filter(None, lines)) or message.title,
            title=message.title,
            notify_type=NotifyType(_TYPES[message.severity]),
            body_format=NotifyFormat.TEXT,
            attach=attach,
        )
    )
