"""`ccxt.binance`, the client most bots use, with nothing but its addresses changed."""

import time
from decimal import Decimal

import ccxt
import pytest

import clients
from latchkey import ELSEWHERE, HOME, KEY_TYPES, Key, new_pair, wrong_secret

PAIR = "BTC/USDT"


@pytest.fixture
def exchange(server, key):
    made = clients.binance(server.api, key)
    made.load_markets()
    return made


def refused(kind, code: int, action):
    with pytest.raises(kind) as error:
        action()
    assert type(error.value) is kind
    assert f'"code":{code}' in str(error.value).replace(" ", "")


def test_markets_load_without_a_key(server):
    public = clients.binance(server.api)
    markets = public.load_markets()
    assert markets[PAIR]["active"] and markets[PAIR]["precision"]["amount"] > 0
    assert abs(public.fetch_time() - time.time() * 1000) < 5000


def test_markets_load_with_a_key(exchange):
    market = exchange.market(PAIR)
    assert market["spot"] and market["margin"]
    assert market["limits"]["cost"]["min"] > 0
    assert "USDT" in exchange.currencies


def test_market_data(exchange):
    ticker = exchange.fetch_ticker(PAIR)
    assert ticker["bid"] < ticker["ask"]
    assert len(exchange.fetch_tickers()) == 8
    assert len(exchange.fetch_bids_asks()) == 8
    book = exchange.fetch_order_book(PAIR, 20)
    assert len(book["bids"]) == 20 and len(book["asks"]) == 20
    assert exchange.fetch_trades(PAIR, limit=5)
    assert exchange.fetch_ohlcv(PAIR, "1m", limit=2)
    assert exchange.fetch_trading_fee(PAIR)["maker"] > 0
    assert len(exchange.fetch_trading_fees()) == 8


def test_balances_of_every_wallet(exchange):
    assert exchange.fetch_balance()["USDT"]["free"] > 0
    assert exchange.fetch_balance({"type": "margin"})["USDT"]["free"] > 0
    isolated = exchange.fetch_balance({"type": "margin", "marginMode": "isolated"})
    assert isolated["USDT"]["free"] > 0


def test_limit_order_is_placed_queried_and_cancelled(exchange, low_price):
    placed = exchange.create_order(PAIR, "limit", "buy", 0.002, float(low_price))
    assert (placed["status"], placed["filled"], placed["amount"]) == ("open", 0, 0.002)
    assert placed["clientOrderId"].startswith("x-TKT5PX2F")
    queried = exchange.fetch_order(placed["id"], PAIR)
    assert (queried["status"], queried["price"]) == ("open", float(low_price))
    assert placed["id"] in [order["id"] for order in exchange.fetch_open_orders(PAIR)]
    assert exchange.cancel_order(placed["id"], PAIR)["status"] == "canceled"
    assert exchange.fetch_order(placed["id"], PAIR)["status"] == "canceled"
    assert placed["id"] in [order["id"] for order in exchange.fetch_orders(PAIR)]
    refused(ccxt.OrderNotFound, -2011, lambda: exchange.cancel_order(placed["id"], PAIR))


def test_market_order_fills_at_once_and_its_trades_are_listed(exchange):
    filled = exchange.create_order(PAIR, "market", "buy", 0.002)
    assert (filled["status"], filled["filled"], filled["remaining"]) == ("closed", 0.002, 0)
    assert filled["average"] > 0 and filled["trades"]
    trades = [t for t in exchange.fetch_my_trades(PAIR) if t["order"] == filled["id"]]
    assert sum(Decimal(t["info"]["qty"]) for t in trades) == Decimal("0.002")
    assert {t["id"] for t in trades} == {t["id"] for t in filled["trades"]}
    by_cost = exchange.create_market_buy_order_with_cost(PAIR, 100)
    assert by_cost["status"] == "closed" and by_cost["cost"] <= 100


def test_cancel_all_and_order_test(exchange, low_price):
    for _ in range(2):
        exchange.create_order(PAIR, "limit", "buy", 0.001, float(low_price))
    assert len(exchange.cancel_all_orders(PAIR)) >= 2
    assert exchange.fetch_open_orders(PAIR) == []
    exchange.create_order(PAIR, "limit", "buy", 0.001, float(low_price), {"test": True})
    assert exchange.fetch_open_orders(PAIR) == []


def test_errors_of_the_exchange_become_its_exceptions(exchange, low_price):
    refused(ccxt.OrderNotFound, -2013, lambda: exchange.fetch_order("999999999", PAIR))
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order(PAIR, "limit", "buy", 200, float(low_price))
    refused(ccxt.BadRequest, -1013, lambda: exchange.create_order(PAIR, "limit", "buy", 0.00001, float(low_price)))


def test_wrong_secret(server, key):
    impostor = clients.binance(server.api, wrong_secret(key))
    refused(ccxt.AuthenticationError, -1022, lambda: impostor.private_get_account())
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
    refused(ccxt.AuthenticationError, -1022, lambda: impostor.private_post_order(order))


def test_stale_timestamp(server, key):
    client = clients.binance(server.api, key)
    stale = {"timestamp": int(time.time() * 1000) - 11_000}
    refused(ccxt.InvalidNonce, -1021, lambda: client.private_get_account(stale))
    # The client's own clock, set wrong and then put right as its users do.
    client.options["timeDifference"] = 20_000
    refused(ccxt.InvalidNonce, -1021, lambda: client.private_get_account())
    client.load_time_difference()
    assert client.private_get_account()["accountType"] == "SPOT"


def test_wrong_address(server, elsewhere):
    refused(ccxt.AuthenticationError, -2015, lambda: clients.binance(server.api, elsewhere).private_get_account())
    assert clients.binance(server.api, elsewhere, source=ELSEWHERE).private_get_account()["canTrade"]


def test_missing_permission(server, reader):
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
    refused(ccxt.AuthenticationError, -2015, lambda: clients.binance(server.api, reader).private_post_order(order))
    assert clients.binance(server.api, reader).private_get_account()["accountType"] == "SPOT"


@pytest.mark.parametrize("special_type", KEY_TYPES)
def test_special_key(server, key, special_type, low_price, secrets):
    """ccxt names no method for this family, but signs any path that it is given; POST and PUT as form bodies."""
    owner = clients.binance(server.api, key)
    name = f"ccxt {key.type} {special_type}"
    parameters, private = {"apiName": name, "ip": HOME}, None
    if special_type != "hmac":
        private, parameters["publicKey"] = new_pair(special_type)
    made = owner.request("margin/apiKey", ["sapi"], "POST", parameters)
    if private is None:
        secrets.add(made["secretKey"])
    special = Key(special_type, made["apiKey"], private or made["secretKey"])
    listed = owner.request("margin/api-key-list", ["sapi"], "GET", {})
    assert special.api_key in [entry["apiKey"] for entry in listed]

    trader = clients.binance(server.api, special)
    assert trader.fetch_balance()["info"]["accountType"] == "MARGIN"
    placed = trader.create_order(PAIR, "limit", "buy", 0.001, float(low_price))
    assert trader.cancel_order(placed["id"], PAIR)["status"] == "canceled"
    assert trader.create_order(PAIR, "market", "buy", 0.001)["status"] == "closed"

    owner.request("margin/apiKey/ip", ["sapi"], "PUT", {"apiKey": special.api_key, "ip": ELSEWHERE})
    refused(ccxt.AuthenticationError, -2015, lambda: clients.binance(server.api, special).private_get_account())
    away = clients.binance(server.api, special, source=ELSEWHERE)
    assert away.private_get_account()["accountType"] == "MARGIN"
    owner.request("margin/apiKey", ["sapi"], "DELETE", {"apiKey": special.api_key})
    # Once it has been let in, ccxt takes a later -2015 for a temporary ban.
    refused(ccxt.DDoSProtection, -2015, lambda: away.private_get_account())
