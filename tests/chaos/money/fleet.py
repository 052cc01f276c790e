"""What a worker process does, in a module that it can import whatever was started."""

import logging
import traceback

import structlog

from tests.chaos.money.findings import Finding
from tests.chaos.money.lives import Death, live
from tests.chaos.money.parties import RealParty
from tests.chaos.money.run import Verdict, run_seed


def be_quiet() -> None:
    """What services log is no finding; the trace has what was said."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)


def run_one(seed: int) -> Verdict:
    """Without its trace. What the harness itself cannot carry out is a finding too: one seed must not end all others."""
    try:
        return run_seed(seed, RealParty)
    except Exception:
        return Verdict(seed, [Finding("crashed", traceback.format_exc(limit=-4))])


def die_once(death: Death) -> Verdict:
    """The same of a life with a death."""
    try:
        return live(death)
    except Exception:
        return Verdict(0, [Finding("crashed", traceback.format_exc(limit=-4))], words=death.words)


def replay(seed: int) -> Verdict:
    """With it."""
    return run_seed(seed, RealParty, listens=True)
