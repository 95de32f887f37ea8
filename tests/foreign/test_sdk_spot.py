"""`binance-sdk-spot`, the exchange's own Python SDK, with nothing but its base URL changed."""

import time
from decimal import Decimal

import pytest
from binance_common.errors import BadRequestError, UnauthorizedError

import clients
from latchkey import ELSEWHERE, Key, wrong_secret

NOT_ALLOWED = (-2015, "Invalid API-key, IP, or permissions for action.")


def refused(error, kind, code: int, message: str | None = None):
    assert type(error.value) is kind
    assert error.value.status_code == code, error.value
    if message is not None:
        assert error.value.error_message == message


def free(account, asset: str) -> Decimal:
    return next((Decimal(b.free) for b in account.balances if b.asset == asset), Decimal(0))


def locked(account, asset: str) -> Decimal:
    return next((Decimal(b.locked) for b in account.balances if b.asset == asset), Decimal(0))


# --- market data, asked without a key -------------------------------------------------------------


def test_time_and_ping_need_no_key(server):
    public = clients.spot(server.api)
    assert public.ping().data() == {}
    assert abs(public.time().data().server_time - time.time() * 1000) < 5000


def test_time_unit_is_what_the_client_asks_for(server):
    configuration = clients._configuration(server.api, None)
    configuration.time_unit = "MICROSECOND"
    micro = clients.Spot(config_rest_api=configuration).rest_api
    assert abs(micro.time().data().server_time - time.time() * 1e6) < 5e6


def test_exchange_info_with_each_of_its_parameters(server):
    public = clients.spot(server.api)
    everything = public.exchange_info().data()
    assert everything.timezone == "UTC"
    assert {limit.rate_limit_type for limit in everything.rate_limits} >= {"REQUEST_WEIGHT", "ORDERS", "RAW_REQUESTS"}
    names = [symbol.symbol for symbol in everything.symbols]
    assert len(names) == 8 and "BTCUSDT" in names
    btc = public.exchange_info(symbol="BTCUSDT").data().symbols
    assert [symbol.symbol for symbol in btc] == ["BTCUSDT"]
    assert (btc[0].base_asset, btc[0].quote_asset, btc[0].status) == ("BTC", "USDT", "TRADING")
    filters = {f.actual_instance.filter_type: f.actual_instance for f in btc[0].filters}
    assert Decimal(filters["PRICE_FILTER"].tick_size) > 0
    assert Decimal(filters["LOT_SIZE"].step_size) > 0
    two = public.exchange_info(symbols=["BTCUSDT", "ETHUSDT"]).data().symbols
    assert {symbol.symbol for symbol in two} == {"BTCUSDT", "ETHUSDT"}
    spot_only = public.exchange_info(permissions=["SPOT"], show_permission_sets=False).data().symbols
    assert spot_only and not any(symbol.permission_sets for symbol in spot_only)
    assert public.exchange_info(symbol_status="TRADING").data().symbols
    with pytest.raises(BadRequestError) as error:
        public.exchange_info(symbol="NOPE")
    refused(error, BadRequestError, -1121, "Invalid symbol.")


def test_the_synthetic_market_is_alive(server):
    public = clients.spot(server.api)
    depth = public.depth("BTCUSDT", limit=20).data()
    assert len(depth.bids) == 20 and len(depth.asks) == 20
    bids, asks = [Decimal(p) for p, _ in depth.bids], [Decimal(p) for p, _ in depth.asks]
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
    before = public.get_trades("BTCUSDT", limit=1).data()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        after = public.get_trades("BTCUSDT", limit=1).data()
        if after and (not before or after[0].id > before[0].id):
            break
        time.sleep(0.2)
    else:
        pytest.fail("no trade in the busiest market within 20 s")
    best = public.ticker_book_ticker(symbol="BTCUSDT").data().actual_instance
    assert Decimal(best.bid_price) < Decimal(best.ask_price)


def test_market_data_has_the_declared_shapes(server):
    public = clients.spot(server.api)
    assert public.historical_trades("BTCUSDT", limit=5).data()
    assert public.agg_trades("BTCUSDT", limit=5).data()
    candles = public.klines("BTCUSDT", "1m", limit=2).data()
    assert candles and all(len(candle) == 12 for candle in candles)
    assert Decimal(public.avg_price("BTCUSDT").data().price) > 0
    assert Decimal(public.ticker_price(symbol="BTCUSDT").data().actual_instance.price) > 0
    assert len(public.ticker_price().data().actual_instance) == 8
    assert len(public.ticker_price(symbols=["BTCUSDT", "ETHUSDT"]).data().actual_instance) == 2
    assert len(public.ticker_book_ticker().data().actual_instance) == 8
    assert public.ticker24hr(symbol="BTCUSDT").data().actual_instance.symbol == "BTCUSDT"
    assert len(public.ticker24hr().data().actual_instance) == 8


# --- each key type ------------------------------------------------------------------------------


def test_account(server, key):
    answer = clients.spot(server.api, key).get_account()
    account = answer.data()
    assert (account.account_type, account.permissions, account.can_trade) == ("SPOT", ["SPOT"], True)
    assert free(account, "USDT") > 0 and account.uid > 0
    assert any(limit.rateLimitType == "REQUEST_WEIGHT" and limit.count >= 20 for limit in answer.rate_limits)
    zero_free = clients.spot(server.api, key).get_account(omit_zero_balances=True).data()
    assert all(Decimal(b.free) + Decimal(b.locked) > 0 for b in zero_free.balances)


def test_limit_order_is_placed_queried_and_cancelled(server, key, low_price):
    client = clients.spot(server.api, key)
    before = client.get_account().data()
    name = f"life-{key.type}-{int(time.time() * 1000)}"
    answer = client.new_order(
        "BTCUSDT", "BUY", "LIMIT", time_in_force="GTC", quantity=0.002, price=float(low_price), new_client_order_id=name
    )
    placed = answer.data()
    assert (placed.status, placed.client_order_id, placed.order_list_id) == ("NEW", name, -1)
    assert (Decimal(placed.orig_qty), Decimal(placed.executed_qty)) == (Decimal("0.002"), 0)
    assert placed.fills == []
    assert any(limit.rateLimitType == "ORDERS" for limit in answer.rate_limits)
    cost = Decimal(low_price) * Decimal("0.002")
    assert locked(client.get_account().data(), "USDT") == locked(before, "USDT") + cost

    queried = client.get_order("BTCUSDT", order_id=placed.order_id).data()
    assert (queried.status, queried.is_working, queried.client_order_id) == ("NEW", True, name)
    assert client.get_order("BTCUSDT", orig_client_order_id=name).data().order_id == placed.order_id
    assert placed.order_id in [o.order_id for o in client.get_open_orders(symbol="BTCUSDT").data()]
    assert placed.order_id in [o.order_id for o in client.get_open_orders().data()]

    cancelled = client.delete_order("BTCUSDT", order_id=placed.order_id).data()
    assert (cancelled.status, cancelled.orig_client_order_id) == ("CANCELED", name)
    assert cancelled.client_order_id != name
    assert client.get_order("BTCUSDT", order_id=placed.order_id).data().status == "CANCELED"
    assert placed.order_id in [o.order_id for o in client.all_orders("BTCUSDT").data()]
    assert free(client.get_account().data(), "USDT") == free(before, "USDT")
    with pytest.raises(BadRequestError) as error:
        client.delete_order("BTCUSDT", order_id=placed.order_id)
    refused(error, BadRequestError, -2011, "Unknown order sent.")


def test_market_order_fills_at_once_and_its_trades_are_listed(server, key):
    client = clients.spot(server.api, key)
    before = client.get_account().data()
    filled = client.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.003).data()
    assert filled.status == "FILLED" and Decimal(filled.executed_qty) == Decimal("0.003")
    assert sum(Decimal(f.qty) for f in filled.fills) == Decimal("0.003")
    paid = sum(Decimal(f.qty) * Decimal(f.price) for f in filled.fills)
    assert Decimal(filled.cummulative_quote_qty) == paid
    fee = sum(Decimal(f.commission) for f in filled.fills)
    assert fee > 0 and {f.commission_asset for f in filled.fills} == {"BTC"}

    after = client.get_account().data()
    assert free(after, "BTC") == free(before, "BTC") + Decimal("0.003") - fee
    assert free(after, "USDT") == free(before, "USDT") - paid

    trades = client.my_trades("BTCUSDT", order_id=filled.order_id).data()
    assert [(t.id, t.price, t.qty, t.commission) for t in trades] == [
        (f.trade_id, f.price, f.qty, f.commission) for f in filled.fills
    ]
    assert all(t.is_buyer and not t.is_maker for t in trades)
    assert {t.order_id for t in client.my_trades("BTCUSDT").data()} >= {filled.order_id}

    sold = client.new_order("BTCUSDT", "SELL", "MARKET", quantity=0.002).data()
    assert sold.status == "FILLED" and {f.commission_asset for f in sold.fills} == {"USDT"}
    spent = client.new_order("BTCUSDT", "BUY", "MARKET", quote_order_qty=100).data()
    assert spent.status == "FILLED" and Decimal(spent.cummulative_quote_qty) <= 100


def test_time_in_force_and_maker_only(server, key, low_price):
    client = clients.spot(server.api, key)
    price = float(low_price)
    ioc = client.new_order("BTCUSDT", "BUY", "LIMIT", time_in_force="IOC", quantity=0.001, price=price).data()
    fok = client.new_order("BTCUSDT", "BUY", "LIMIT", time_in_force="FOK", quantity=0.001, price=price).data()
    assert (ioc.status, fok.status) == ("EXPIRED", "EXPIRED")
    maker = client.new_order("BTCUSDT", "BUY", "LIMIT_MAKER", quantity=0.001, price=price, new_order_resp_type="RESULT")
    assert maker.data().status == "NEW"
    best = client.ticker_book_ticker(symbol="BTCUSDT").data().actual_instance
    through = float(Decimal(best.ask_price) * Decimal("1.01") // 1)
    with pytest.raises(BadRequestError) as error:
        client.new_order("BTCUSDT", "BUY", "LIMIT_MAKER", quantity=0.001, price=through)
    refused(error, BadRequestError, -2010, "Order would immediately match and take.")
    gone = client.delete_open_orders("BTCUSDT").data()
    assert maker.data().order_id in [order.order_id for order in gone]
    assert client.get_open_orders(symbol="BTCUSDT").data() == []


def test_order_test_places_nothing(server, key):
    client = clients.spot(server.api, key)
    count = len(client.all_orders("BTCUSDT").data())
    assert client.order_test("BTCUSDT", "BUY", "MARKET", quantity=0.001).status == 200
    rates = client.order_test("BTCUSDT", "BUY", "MARKET", quantity=0.001, compute_commission_rates=True).data()
    assert Decimal(rates.standard_commission_for_order.taker) > 0
    assert len(client.all_orders("BTCUSDT").data()) == count


def test_limits_and_commission_of_the_account(server, key):
    client = clients.spot(server.api, key)
    assert {limit.interval for limit in client.rate_limit_order().data()} == {"SECOND", "DAY"}
    commission = client.account_commission("BTCUSDT").data()
    assert Decimal(commission.standard_commission.maker) > 0


def test_errors_of_the_exchange_keep_code_and_text(server, key, low_price):
    client = clients.spot(server.api, key)
    with pytest.raises(BadRequestError) as error:
        client.get_order("BTCUSDT", order_id=999_999_999)
    refused(error, BadRequestError, -2013, "Order does not exist.")
    with pytest.raises(BadRequestError) as error:
        client.new_order("BTCUSDT", "BUY", "LIMIT", time_in_force="GTC", quantity=200, price=float(low_price))
    refused(error, BadRequestError, -2010, "Account has insufficient balance for requested action.")
    with pytest.raises(BadRequestError) as error:
        client.new_order("BTCUSDT", "BUY", "LIMIT", quantity=0.001, price=float(low_price))
    refused(error, BadRequestError, -1102)
    # What the SDK makes of a small float is not a number of the contract.
    with pytest.raises(BadRequestError) as error:
        client.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.00001)
    refused(error, BadRequestError, -1100)


# --- who is refused -----------------------------------------------------------------------------


def test_wrong_secret(server, key):
    impostor = clients.spot(server.api, wrong_secret(key))
    with pytest.raises(BadRequestError) as error:
        impostor.get_account()
    refused(error, BadRequestError, -1022, "Signature for this request is not valid.")
    with pytest.raises(BadRequestError) as error:
        impostor.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.001)
    refused(error, BadRequestError, -1022)


def test_stale_and_early_timestamps(server, key):
    client = clients.spot(server.api, key)
    now = int(time.time() * 1000)
    with pytest.raises(BadRequestError) as error:
        clients.send(client, "GET", "/api/v3/account", timestamp=now - 6000)
    refused(error, BadRequestError, -1021, "Timestamp for this request is outside of the recvWindow.")
    with pytest.raises(BadRequestError) as error:
        clients.send(client, "GET", "/api/v3/account", timestamp=now + 3000)
    refused(error, BadRequestError, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    late = {"timestamp": now - 6000, "recvWindow": 20000}
    assert clients.send(client, "GET", "/api/v3/account", **late).status == 200
    micro = {"timestamp": int(time.time() * 1_000_000), "recvWindow": "5000.125"}
    assert clients.send(client, "GET", "/api/v3/account", **micro).status == 200


def test_wrong_address(server, elsewhere):
    with pytest.raises(UnauthorizedError) as error:
        clients.spot(server.api, elsewhere).get_account()
    refused(error, UnauthorizedError, *NOT_ALLOWED)
    assert clients.spot(server.api, elsewhere, source=ELSEWHERE).get_account().status == 200


def test_missing_permission(server, reader, low_price):
    client = clients.spot(server.api, reader)
    assert client.get_account().status == 200
    for attempt in (
        lambda: client.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.001),
        lambda: client.order_test("BTCUSDT", "BUY", "MARKET", quantity=0.001),
        lambda: client.delete_order("BTCUSDT", order_id=1),
        lambda: client.delete_open_orders("BTCUSDT"),
    ):
        with pytest.raises(UnauthorizedError) as error:
            attempt()
        refused(error, UnauthorizedError, *NOT_ALLOWED)
    # One who cannot sign is not told what the key may do.
    with pytest.raises(BadRequestError) as error:
        clients.spot(server.api, wrong_secret(reader)).new_order("BTCUSDT", "BUY", "MARKET", quantity=0.001)
    refused(error, BadRequestError, -1022)


def test_unknown_and_malformed_keys(server, key):
    with pytest.raises(UnauthorizedError) as error:
        clients.spot(server.api, Key(key.type, "A" * 64, key.secret)).get_account()
    refused(error, UnauthorizedError, *NOT_ALLOWED)
    with pytest.raises(UnauthorizedError) as error:
        clients.spot(server.api, Key(key.type, "short", key.secret)).get_account()
    refused(error, UnauthorizedError, -2014, "API-key format invalid.")
