"""The clients under test, configured as their users configure them: keys and a base URL."""

from urllib.parse import urlsplit

import ccxt
from binance_common.configuration import ConfigurationRestAPI
from binance_common.utils import send_request
from binance_sdk_margin_trading.margin_trading import MarginTrading
from binance_sdk_spot.spot import Spot
from binance_sdk_sub_account.sub_account import SubAccount
from binance_sdk_wallet.wallet import Wallet

from latchkey import HOME, From, Key

TIMEOUT_MS = 10_000


def _configuration(api: str, key: Key | None) -> ConfigurationRestAPI:
    if key is None:
        return ConfigurationRestAPI(base_path=api, timeout=TIMEOUT_MS)
    secret = {"api_secret": key.secret} if key.type == "hmac" else {"private_key": key.secret}
    return ConfigurationRestAPI(api_key=key.api_key, base_path=api, timeout=TIMEOUT_MS, **secret)


def _from(rest_api, source: str):
    if source != HOME:
        rest_api._session.mount("http://", From(source))
        for part in vars(rest_api).values():
            if hasattr(part, "_session"):
                part._session.mount("http://", From(source))
    return rest_api


def spot(api: str, key: Key | None = None, source: str = HOME):
    """`binance-sdk-spot`."""
    return _from(Spot(config_rest_api=_configuration(api, key)).rest_api, source)


def margin(api: str, key: Key | None = None, source: str = HOME):
    """`binance-sdk-margin-trading`."""
    return _from(MarginTrading(config_rest_api=_configuration(api, key)).rest_api, source)


def sub_account(api: str, key: Key | None = None, source: str = HOME):
    """`binance-sdk-sub-account`."""
    return _from(SubAccount(config_rest_api=_configuration(api, key)).rest_api, source)


def wallet(api: str, key: Key | None = None, source: str = HOME):
    """`binance-sdk-wallet`."""
    return _from(Wallet(config_rest_api=_configuration(api, key)).rest_api, source)


def send(rest_api, method: str, path: str, **parameters):
    """Sends `parameters` signed by the SDK's own code, for what its named methods cannot say.

    Its `send_signed_request`, which is meant for that, raises a TypeError in the pinned version.
    """
    configuration, signer = rest_api.configuration, rest_api._signer
    return send_request(
        rest_api._session, configuration, method=method, path=path, payload=parameters, is_signed=True, signer=signer
    )


def binance(api: str, key: Key | None = None, source: str = HOME) -> ccxt.binance:
    """`ccxt.binance` with every address of its own replaced by `api`."""
    exchange = ccxt.binance({"apiKey": key.api_key, "secret": key.secret} if key else {})
    urls = exchange.urls["api"]
    for name, url in urls.items():
        if isinstance(url, str) and urlsplit(url).scheme in ("http", "https"):
            urls[name] = api + urlsplit(url).path
    # Its own pacing is for the real exchange's budgets.
    exchange.enableRateLimit = False
    exchange.session.trust_env = False
    if source != HOME:
        exchange.session.mount("http://", From(source))
    return exchange
