"""`binance-sdk-wallet`: what an account and a key say of themselves."""

import time
from decimal import Decimal

import pytest
from binance_common.errors import BadRequestError

import clients
from latchkey import ELSEWHERE, Key, wrong_secret


def test_what_the_key_may_do(server, key, reader):
    rights = clients.wallet(server.api, key).get_api_key_permission().data()
    assert rights.ip_restrict and rights.enable_reading and rights.enable_spot_and_margin_trading
    assert not (rights.enable_withdrawals or rights.enable_futures or rights.permits_universal_transfer)
    assert abs(rights.create_time - time.time() * 1000) < 3_600_000
    assert not clients.wallet(server.api, reader).get_api_key_permission().data().enable_spot_and_margin_trading


def test_account_and_its_state(server, key):
    client = clients.wallet(server.api, key)
    account = client.account_info().data()
    assert (account.vip_level, account.is_margin_enabled, account.is_future_enabled) == (9, True, False)
    assert client.account_status().data().data == "Normal"
    assert client.account_api_trading_status().data().data.is_locked is False


def test_switches_of_fast_withdrawals_are_taken_from_who_may_trade(server, key, reader):
    client = clients.wallet(server.api, key)
    assert client.enable_fast_withdraw_switch().data() == {}
    assert client.disable_fast_withdraw_switch().data() == {}
    with pytest.raises(BadRequestError) as error:
        clients.wallet(server.api, reader).enable_fast_withdraw_switch()
    assert error.value.status_code == -2015


def test_coins_and_fees(server, key):
    client = clients.wallet(server.api, key)
    coins = {coin.coin: coin for coin in client.all_coins_information().data()}
    assert {"BTC", "USDT"} <= set(coins) and Decimal(coins["USDT"].free) > 0
    fees = client.trade_fee().data()
    assert len(fees) == 8
    one = client.trade_fee(symbol="BTCUSDT").data()
    assert [fee.symbol for fee in one] == ["BTCUSDT"] and Decimal(one[0].maker_commission) > 0


def test_refusals_on_the_wallet_family(server, key, elsewhere):
    """Here a refusal is 400, and an unknown key has a code of its own."""

    def code(client, **parameters) -> int:
        with pytest.raises(BadRequestError) as error:
            clients.send(client, "GET", "/sapi/v1/account/status", **parameters)
        return error.value.status_code

    assert code(clients.wallet(server.api, wrong_secret(key))) == -1022
    assert code(clients.wallet(server.api, key), timestamp=int(time.time() * 1000) - 6000) == -1021
    assert code(clients.wallet(server.api, elsewhere)) == -2015
    assert clients.wallet(server.api, elsewhere, source=ELSEWHERE).account_status().status == 200
    assert code(clients.wallet(server.api, Key(key.type, "A" * 64, key.secret))) == -2008
