"""What Binance's error codes mean for whoever sent an order: one table. Source: reference facts of the USD-M API, 3.2 and 8."""

from collections.abc import Mapping

from libs.exchanges.errors import RateLimited, VenueError
from libs.exchanges.trading import OrderRefused, OutcomeUnknown, Verdict

CODES: Mapping[Verdict, tuple[int, ...]] = {
    "unknown": (-1006, -1007),
    "retry": (-1001, -1008, -1016, -4117, -5041),
    "clock": (-1021, -5028),
    "limited": (-1003, -1015),
    "duplicate": (-4116, -4130),
    "gone": (-2011, -2013),
    "done": (-4046, -4052, -4059, -4171, -5027),
    "endpoint": (-4120,),
    "reduce_only": (-2022, -2024, -4118),
    "margin": (-2018, -2019, -2020, -2025, -2027, -2028, -4028, -4045, -4050, -4051, -4161),
    "filter": (
        *(
            -1100,
            -1102,
            -1104,
            -1106,
            -1111,
            -1115,
            -1116,
            -1117,
            -1121,
            -4001,
            -4002,
            -4003,
            -4004,
            -4005,
            -4013,
            -4014,
        ),
        *(-4015, -4023, -4060, -4061, -4062, -4137, -4138, -4164),
    ),
    "price": (-2021, -4016, -4024, -4131, -4183, -4184, -4210, -4211, -5021, -5022),
    "market_state": (-1122, -4105, -4106, -4107, -4140, -4141, -4192, -4400, -4401),
    "access": (-1002, -1022, -1099, -2014, -2015, -2017, -4087, -4088, -4109, -4189, -4402),
    "listen_key": (-1125,),
    "account": (-2023, -4047, -4048, -4067, -4068, -4531),
}
VERDICT_OF: Mapping[int, Verdict] = {code: verdict for verdict, codes in CODES.items() for code in codes}
# Four answers share the status 503; only the words tell the ones without a code apart.
_UNAVAILABLE: Mapping[str, Verdict] = {
    "Unknown error": "unknown",
    "Service Unavailable.": "retry",
    "Internal error; unable to process": "retry",
    "Request throttled": "retry",
}


def verdict_of(error: VenueError) -> Verdict:
    """What a failure means for a request that changes something: by its code, then by its words, then by its status. Whatever
    nobody has told us about may have been carried out."""
    if isinstance(error, RateLimited):
        return "limited"
    if known := VERDICT_OF.get(error.code):
        return known
    if error.status == 503:
        return next((verdict for words, verdict in _UNAVAILABLE.items() if error.said.startswith(words)), "unknown")
    return "access" if error.status in (401, 403, 451) else "unknown"


def judged(error: VenueError) -> OrderRefused | OutcomeUnknown | RateLimited:
    """The failure as what it means."""
    if isinstance(error, RateLimited):
        return error
    verdict = verdict_of(error)
    return OutcomeUnknown(error) if verdict == "unknown" else OrderRefused(error, verdict)
