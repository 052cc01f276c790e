"""What a channel is told next: one notice, or several that belong together as a digest. Pure, over what is due.

Grave ones go first and alone, in the order in which they happened. Where they come faster than the channel takes them, a digest
names every one of them: nothing grave is only counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from libs.notify import Message, Severity
from libs.notify.matching import Notice
from libs.notify.rules import ChannelLimits

CRITICAL_ALONE = 5
"""Up to so many critical ones that wait are told one by one."""
CRITICAL_LINES = 12
"""So many titles of critical ones has a digest, which fit into any channel's message; the next digest has the next."""
_LINES, _LINE = 15, 150
_AGAIN = "may be a repetition"


@dataclass(frozen=True, slots=True)
class Due:
    """A notice that may go now; `attempts`: how often it was tried, whatever became of that. `doubtful`: it may have arrived."""

    notice: Notice
    attempts: int = 0
    doubtful: bool = False


def next_batch(due: Sequence[Due], limits: ChannelLimits) -> list[Due]:
    """Those of `due` (the gravest first, each in the order of their coming) that go together now; none of none."""
    grave = [one for one in due if one.notice.severity == "critical"]
    if grave:
        return grave[:1] if len(grave) <= CRITICAL_ALONE else grave[:CRITICAL_LINES]
    if len(due) > limits.digest_over:
        return list(due)
    if not due:
        return []
    first = due[0].notice
    if not first.group:
        return [due[0]]
    return [one for one in due if one.notice.group == first.group]


def message_of(batch: Sequence[Due], png: bytes | None = None) -> Message:
    """The message of one notice, or the digest of several."""
    if len(batch) > 1:
        return _digest([one.notice for one in batch], doubtful=any(one.doubtful for one in batch))
    notice = batch[0].notice
    footer = f"{notice.rule} · {notice.event_id}{f' · {_AGAIN}' if batch[0].doubtful else ''}"
    return Message(notice.title, notice.text, notice.severity, notice.facts, footer, png, notice.time_ms)


def _digest(notices: Sequence[Notice], *, doubtful: bool) -> Message:
    gravest: Severity = max((one.severity for one in notices), key=("info", "warning", "critical").index)
    if gravest == "critical":
        title = f"{len(notices)} critical messages"
        lines = [f"• {one.title[:_LINE]}" for one in notices]
    else:
        rules = Counter(one.rule for one in notices)
        title = f"{len(notices)} messages: " + ", ".join(f"{count}× {rule}" for rule, count in rules.most_common(3))
        titles = Counter(one.title[:_LINE] for one in notices)
        lines = [f"• {f'{count}× ' if count > 1 else ''}{text}" for text, count in titles.most_common(_LINES)]
        if (rest := sum(titles.values()) - sum(count for _, count in titles.most_common(_LINES))) > 0:
            lines.append(f"… and {rest} more: perpstream notify outbox")
    footer = f"{len(notices)} events{f' · {_AGAIN}' if doubtful else ''}"
    return Message(title, "\n".join(lines), gravest, {}, footer, None, max(one.time_ms for one in notices))
