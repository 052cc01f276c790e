"""Channels and pictures that do as they are told."""

from dataclasses import dataclass, field

from libs.notify import Delivered, Message, Outcome, Refused
from libs.notify.facts import Picture


@dataclass
class ListeningChannel:
    """Keeps what it was told; answers with `answers` first, then takes everything in which `refuses` does not stand."""

    name: str = "desk"
    kind: str = "fake"
    answers: list[Outcome] = field(default_factory=list)
    told: list[Message] = field(default_factory=list)
    refuses: str = ""

    async def send(self, message: Message) -> Outcome:
        refused = self.refuses and self.refuses in f"{message.title}\n{message.text}"
        outcome = self.answers.pop(0) if self.answers else Refused("too strange") if refused else Delivered()
        if isinstance(outcome, Delivered):
            self.told.append(message)
        return outcome

    async def close(self) -> None: ...


class NoPictures:
    """Nothing is stored."""

    async def make(self, picture: Picture) -> bytes | None:
        return None
