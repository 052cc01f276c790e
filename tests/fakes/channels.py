"""Channels and pictures that do as they are told."""

from dataclasses import dataclass, field

from libs.notify import Delivered, Message, Outcome
from libs.notify.facts import Picture


@dataclass
class ListeningChannel:
    """Keeps what it was told; answers with `answers` first, then takes everything."""

    name: str = "desk"
    kind: str = "fake"
    answers: list[Outcome] = field(default_factory=list)
    told: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> Outcome:
        outcome = self.answers.pop(0) if self.answers else Delivered()
        if isinstance(outcome, Delivered):
            self.told.append(message)
        return outcome

    async def close(self) -> None: ...


class NoPictures:
    """Nothing is stored."""

    async def make(self, picture: Picture) -> bytes | None:
        return None
