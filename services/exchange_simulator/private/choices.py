"""What an account has chosen and may choose, what it pays, and what its key may do."""

from typing import get_args

from services.exchange_simulator.private.calls import Call, SignedEndpoint
from services.exchange_simulator.private.shapes import Body
from services.exchange_simulator.rest.errors import missing
from services.exchange_simulator.trading.account import MAINTENANCE, MAKER_FEE, TAKER_FEE, MarginType
from services.exchange_simulator.trading.commands import SetLeverage, SetMarginType, SetMode, SetMultiAssets

# The most that positions of a symbol may be worth, by the greatest leverage for that.
_BRACKETS = (
    (125, 50_000),
    (100, 600_000),
    (50, 3_000_000),
    (20, 12_000_000),
    (10, 40_000_000),
    (5, 150_000_000),
    (1, 10**9),
)
_SUCCESS: Body = {"code": 200, "msg": "success"}


def bracket_cap(leverage: int) -> int:
    """What positions may be worth at a leverage."""
    return max(cap for most, cap in _BRACKETS if most >= leverage)


def set_leverage(call: Call) -> Body:
    """POST /fapi/v1/leverage."""
    symbol, leverage = call.symbol(), call.parameters.mandatory_integer("leverage")
    call.house.do(SetLeverage(at=call.at, account=call.account.name, symbol=symbol, leverage=leverage))
    return {"leverage": leverage, "maxNotionalValue": str(bracket_cap(leverage)), "symbol": symbol}


def set_margin_type(call: Call) -> Body:
    """POST /fapi/v1/marginType."""
    symbol, kind = call.symbol(), call.parameters.choice("marginType", get_args(MarginType), None)
    call.house.do(SetMarginType(at=call.at, account=call.account.name, symbol=symbol, margin_type=kind))
    return _SUCCESS


def get_mode(call: Call) -> Body:
    """GET /fapi/v1/positionSide/dual."""
    return {"dualSidePosition": call.account.hedged}


def set_mode(call: Call) -> Body:
    """POST /fapi/v1/positionSide/dual."""
    hedged = _switch(call, "dualSidePosition")
    call.house.do(SetMode(at=call.at, account=call.account.name, hedged=hedged))
    return _SUCCESS


def get_multi_assets(call: Call) -> Body:
    """GET /fapi/v1/multiAssetsMargin."""
    return {"multiAssetsMargin": call.account.multi_assets}


def set_multi_assets(call: Call) -> Body:
    """POST /fapi/v1/multiAssetsMargin."""
    wanted = _switch(call, "multiAssetsMargin")
    call.house.do(SetMultiAssets(at=call.at, account=call.account.name, wanted=wanted))
    return _SUCCESS


def _switch(call: Call, name: str) -> bool:
    if call.parameters.text(name) is None:
        raise missing(name)
    return call.parameters.boolean(name)


def symbol_config(call: Call) -> list[Body]:
    """GET /fapi/v1/symbolConfig."""
    symbol = call.optional_symbol()
    rows: list[Body] = []
    for one in [symbol] if symbol else call.house.prices.symbols:
        chosen = call.account.of(one)
        rows.append(
            {
                "symbol": one,
                "marginType": chosen.margin_type,
                "isAutoAddMargin": False,
                "leverage": chosen.leverage,
                "maxNotionalValue": str(bracket_cap(chosen.leverage)),
            }
        )
    return rows  # fmt: skip


def account_config(call: Call) -> Body:
    """GET /fapi/v1/accountConfig."""
    return {
        "feeTier": 0,
        "canTrade": call.key.rights.futures,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": call.account.hedged,
        "updateTime": 0,
        "multiAssetsMargin": call.account.multi_assets,
        "tradeGroupId": -1,
    }


def leverage_bracket(call: Call) -> list[Body]:
    """GET /fapi/v1/leverageBracket; inside, the venue sends numbers."""
    symbol = call.optional_symbol()
    brackets, floor = [], 0
    for number, (most, cap) in enumerate(_BRACKETS, start=1):
        brackets.append(
            {
                "bracket": number,
                "initialLeverage": most,
                "notionalCap": cap,
                "notionalFloor": floor,
                "maintMarginRatio": float(MAINTENANCE),
                "cum": 0.0,
            }
        )
        floor = cap
    return [{"symbol": one, "brackets": brackets} for one in ([symbol] if symbol else call.house.prices.symbols)]


def commission_rate(call: Call) -> Body:
    """GET /fapi/v1/commissionRate."""
    return {
        "symbol": call.symbol(),
        "makerCommissionRate": f"{MAKER_FEE:.6f}",
        "takerCommissionRate": f"{TAKER_FEE:.6f}",
        "rpiCommissionRate": "0.000050",
    }


def fee_burn(call: Call) -> Body:
    """GET /fapi/v1/feeBurn: whether fees are paid in BNB."""
    return {"feeBurn": call.account.pays_in_bnb}


def api_restrictions(call: Call) -> Body:
    """GET /sapi/v1/account/apiRestrictions, on the spot host: what the key may do."""
    rights = call.key.rights
    return {
        "ipRestrict": rights.ip_restrict,
        "createTime": 1_600_000_000_000,
        "enableReading": rights.reading,
        "enableWithdrawals": rights.withdrawals,
        "enableInternalTransfer": rights.internal_transfer,
        "enableMargin": False,
        "enableFutures": rights.futures,
        "permitsUniversalTransfer": rights.universal_transfer,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": False,
        "enablePortfolioMarginTrading": False,
    }


ENDPOINTS = (
    SignedEndpoint("POST", "/fapi/v1/leverage", set_leverage),
    SignedEndpoint("POST", "/fapi/v1/marginType", set_margin_type),
    SignedEndpoint("GET", "/fapi/v1/positionSide/dual", get_mode, 30),
    SignedEndpoint("POST", "/fapi/v1/positionSide/dual", set_mode),
    SignedEndpoint("GET", "/fapi/v1/multiAssetsMargin", get_multi_assets, 30),
    SignedEndpoint("POST", "/fapi/v1/multiAssetsMargin", set_multi_assets),
    SignedEndpoint("GET", "/fapi/v1/symbolConfig", symbol_config, 5),
    SignedEndpoint("GET", "/fapi/v1/accountConfig", account_config, 5),
    SignedEndpoint("GET", "/fapi/v1/leverageBracket", leverage_bracket),
    SignedEndpoint("GET", "/fapi/v1/commissionRate", commission_rate, 20),
    SignedEndpoint("GET", "/fapi/v1/feeBurn", fee_burn, 30),
    SignedEndpoint("GET", "/sapi/v1/account/apiRestrictions", api_restrictions),
)
