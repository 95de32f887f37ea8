"""Clients under limits: each raises its own rate-limit and ban error, with the right time to come back."""

import re
import time
from pathlib import Path

import ccxt
import pytest
from binance_common.errors import RateLimitBanError, TooManyRequestsError

import clients
from latchkey import Caller, Server

ATTEMPTS = 400


@pytest.fixture(scope="module")
def limited(tmp_path_factory) -> Server:
    running = Server(Path(__file__).with_name("limits.toml"), tmp_path_factory.mktemp("limits") / "data")
    yield running
    running.stop()


def until_refused(action, kinds) -> Exception:
    """Repeats `action` until it raises one of `kinds`, which must be the only errors that it raises."""
    for _ in range(ATTEMPTS):
        try:
            action()
        except kinds as error:
            return error
    pytest.fail(f"not refused in {ATTEMPTS} calls")


def banned_until(text: str) -> int:
    """The end of the ban that the text names, in epoch milliseconds."""
    return int(re.search(r"IP banned until (\d{13})\.", text).group(1))


def left(until_ms: int) -> float:
    return until_ms / 1000 - time.time()


def test_the_official_sdk_is_refused_then_banned(limited):
    client = clients.spot(limited.api, source="127.0.0.21")
    refused = until_refused(client.ping, TooManyRequestsError)
    assert refused.status_code == -1003
    assert "current limit is 100 request weight per 1 MINUTE." in refused.error_message
    assert 1 <= refused.retry_after <= 60
    assert abs(refused.retry_after - (60 - time.time() % 60)) % 60 < 3
    for _ in range(ATTEMPTS):
        try:
            client.ping()
        except TooManyRequestsError:
            continue
        except RateLimitBanError as error:
            ban = error
            break
    assert ban.status_code == -1003
    assert abs(ban.retry_after - left(banned_until(ban.error_message))) < 5
    assert 100 < ban.retry_after <= 120
    with pytest.raises(RateLimitBanError) as again:
        client.ping()
    assert banned_until(again.value.error_message) == banned_until(ban.error_message)


def test_ccxt_is_refused_then_banned(limited):
    client = clients.binance(limited.api, source="127.0.0.22")
    refused = until_refused(client.public_get_ping, ccxt.DDoSProtection)
    assert type(refused) is ccxt.DDoSProtection and " 429 " in str(refused) and "-1003" in str(refused)
    assert 1 <= int(client.last_response_headers["Retry-After"]) <= 60
    for _ in range(ATTEMPTS):
        with pytest.raises(ccxt.DDoSProtection) as error:
            client.public_get_ping()
        if " 418 " in str(error.value):
            break
    assert " 418 " in str(error.value)
    wait = int(client.last_response_headers["Retry-After"])
    assert abs(wait - left(banned_until(str(error.value)))) < 5
    assert 100 < wait <= 120


def test_addresses_are_banned_by_themselves(limited):
    assert Caller(limited.api, source="127.0.0.23").call("GET", "/api/v3/ping").status == 200


def test_too_many_orders(limited):
    key = limited.key("trader@example.com", "hmac")
    client = clients.spot(limited.api, key, source="127.0.0.24")
    best = Caller(limited.api, source="127.0.0.24").call("GET", "/api/v3/avgPrice", symbol="BTCUSDT").body
    low_price = int(float(best["price"]) * 0.9)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": low_price}
    client.new_order(quantity=0.1, **order)
    with pytest.raises(TooManyRequestsError) as refused:
        client.new_order(quantity=0.1, **order)
    assert refused.value.status_code == -1015
    assert "current limit is 1 orders per 1 DAY." in refused.value.error_message
    midnight = 86_400 - time.time() % 86_400
    apart = abs(refused.value.retry_after - midnight)
    assert min(apart, 86_400 - apart) < 5


def test_sapi_is_refused_and_never_banned(limited):
    client = clients.wallet(limited.api, limited.key("trader@example.com", "hmac"), source="127.0.0.25")
    for _ in range(2):
        refused = until_refused(client.account_status, TooManyRequestsError)
        assert refused.status_code == -1003 and 1 <= refused.retry_after <= 60
    for _ in range(40):
        until_refused(client.account_status, TooManyRequestsError)
    assert Caller(limited.api, source="127.0.0.25").call("GET", "/api/v3/ping").status == 200
