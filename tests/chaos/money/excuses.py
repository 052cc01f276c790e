"""When nobody can be blamed for a position without a stop, as far as the venue is the reason."""

from libs.exchanges.binance.signing import RECV_WINDOW_MS
from services.exchange_simulator.faults import plan as faults
from services.exchange_simulator.faults.base import AnswerFault
from services.exchange_simulator.faults.desk import Armed

_ORDER_PATHS = ("/fapi/v1/order", "/fapi/v1/algoOrder")
_POSITIONS = "/fapi/v3/positionRisk"


def closes_the_venue(armed: Armed) -> bool:
    """Whether no order reaches the venue while this fault lasts. A fault that spoils some answers only is no excuse, and neither
    is one whose requests are carried out: whoever asks finds out."""
    fault = armed.fault
    if isinstance(fault, faults.RateLimited | faults.Banned):
        return True
    if not isinstance(fault, AnswerFault | faults.Refusal) or fault.most is not None or fault.probability < 1:
        return False
    # What reaches the venue when its window is over is refused there: then none is carried out.
    too_late = isinstance(fault, AnswerFault) and (fault.late_ms or 0) > RECV_WINDOW_MS
    posts = not fault.methods or "POST" in fault.methods
    concerned = any(path.startswith(fault.paths) for path in _ORDER_PATHS)
    throttled = isinstance(fault, faults.Unavailable) and fault.text == "throttled"
    done = isinstance(fault, AnswerFault) and fault.executed != "no" and not too_late
    return posts and concerned and not fault.where and not throttled and not done


def hides_positions(armed: Armed) -> bool:
    """Whether no question for positions is answered while this fault lasts."""
    fault = armed.fault
    if not isinstance(fault, AnswerFault) or fault.most is not None or fault.probability < 1 or fault.where:
        return False
    return _POSITIONS.startswith(fault.paths) and (not fault.methods or "GET" in fault.methods)
