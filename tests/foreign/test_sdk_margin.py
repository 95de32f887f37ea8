"""`binance-sdk-margin-trading` makes the special keys, `binance-sdk-spot` trades with them."""

import itertools
from decimal import Decimal

import pytest
from binance_common.errors import BadRequestError, UnauthorizedError

import clients
from latchkey import ELSEWHERE, HOME, KEY_TYPES, Key, new_pair, wrong_secret

WIRE_TYPE = {"hmac": "HMAC_SHA256", "rsa": "RSA", "ed25519": "Ed25519"}
PATH = "/sapi/v1/margin/apiKey"
names = (f"special {number}" for number in itertools.count(1))


def code(action) -> int:
    with pytest.raises((BadRequestError, UnauthorizedError)) as error:
        action()
    return error.value.status_code


def create(caller, key_type: str, secrets: set, name: str, **parameters) -> Key:
    """Creates a special key over the SDK and returns it as a client would hold it."""
    private = None
    if key_type != "hmac":
        private, parameters["public_key"] = new_pair(key_type)
    made = caller.create_special_key(name, **{"ip": HOME, **parameters}).data()
    assert made.type == WIRE_TYPE[key_type] and len(made.api_key) == 64
    if private is None:
        assert len(made.secret_key) == 64 and made.secret_key.isalnum()
        secrets.add(made.secret_key)
    else:
        assert made.secret_key is None
    return Key(key_type, made.api_key, private or made.secret_key, label=name)


def cross_locked(caller, asset: str) -> Decimal:
    assets = caller.query_cross_margin_account_details().data().user_assets
    return next((Decimal(a.locked) for a in assets if a.asset == asset), Decimal(0))


def spot_balances(client) -> dict:
    return {b.asset: (b.free, b.locked) for b in client.get_account().data().balances}


@pytest.mark.parametrize("special_type", KEY_TYPES)
def test_life_of_a_cross_special_key(server, key, special_type, low_price, secrets):
    caller, owner = clients.margin(server.api, key), clients.spot(server.api, key)
    name = next(names)
    special = create(caller, special_type, secrets, name)

    listed = {k.api_key: k for k in caller.query_special_key_list().data()}[special.api_key]
    assert (listed.api_name, listed.type, listed.permission_mode) == (name, WIRE_TYPE[special_type], "TRADE")
    assert HOME in listed.ip.split(",")
    one = clients.send(caller, "GET", PATH, apiKey=special.api_key).data()
    assert (one["apiKey"], one["apiName"], one["type"]) == (special.api_key, name, WIRE_TYPE[special_type])
    assert "secretKey" not in one

    trader = clients.spot(server.api, special)
    account = trader.get_account().data()
    assert account.account_type == "MARGIN" and account.permissions == ["MARGIN"]

    spot_before, held = spot_balances(owner), cross_locked(caller, "USDT")
    placed = trader.new_order(
        "BTCUSDT", "BUY", "LIMIT", time_in_force="GTC", quantity=0.002, price=float(low_price)
    ).data()
    assert placed.status == "NEW"
    assert cross_locked(caller, "USDT") == held + Decimal(low_price) * Decimal("0.002")
    assert trader.get_order("BTCUSDT", order_id=placed.order_id).data().status == "NEW"
    assert code(lambda: owner.get_order("BTCUSDT", order_id=placed.order_id)) == -2013
    assert trader.delete_order("BTCUSDT", order_id=placed.order_id).data().status == "CANCELED"
    filled = trader.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.002).data()
    assert filled.status == "FILLED"
    assert [t.order_id for t in trader.my_trades("BTCUSDT", order_id=filled.order_id).data()]
    assert spot_balances(owner) == spot_before

    move = {"apiKey": special.api_key, "ip": ELSEWHERE}
    assert clients.send(caller, "PUT", PATH + "/ip", **move).data() == {}
    assert code(trader.get_account) == -2015
    assert clients.spot(server.api, special, source=ELSEWHERE).get_account().status == 200
    back = {"apiKey": special.api_key, "ip": f"{HOME},{ELSEWHERE}"}
    assert clients.send(caller, "PUT", PATH + "/ip", **back).data() == {}
    assert trader.get_account().status == 200

    assert caller.delete_special_key(api_name=name).data() == {}
    assert code(trader.get_account) == -2015
    assert code(lambda: trader.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.001)) == -2015
    assert special.api_key not in [k.api_key for k in caller.query_special_key_list().data()]


@pytest.mark.parametrize("special_type", KEY_TYPES)
def test_isolated_special_key_trades_its_symbol_alone(server, key, special_type, low_price, secrets):
    caller, name = clients.margin(server.api, key), next(names)
    special = create(caller, special_type, secrets, name, symbol="BTCUSDT")
    trader = clients.spot(server.api, special)
    assert trader.get_account().data().account_type == "ISOLATED_MARGIN"
    placed = trader.new_order(
        "BTCUSDT", "BUY", "LIMIT", time_in_force="GTC", quantity=0.001, price=float(low_price)
    ).data()
    isolated = caller.query_isolated_margin_account_info(symbols="BTCUSDT").data().assets[0]
    assert Decimal(isolated.quote_asset.locked) >= Decimal(low_price) * Decimal("0.001")
    assert trader.delete_order("BTCUSDT", order_id=placed.order_id).data().status == "CANCELED"
    assert trader.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.001).data().status == "FILLED"
    with pytest.raises(BadRequestError) as error:
        trader.new_order("ETHUSDT", "BUY", "MARKET", quantity=0.01)
    assert error.value.status_code == -2010
    assert error.value.error_message == "This symbol is restricted for this account."
    listed = caller.query_special_key_list(symbol="BTCUSDT").data()
    assert special.api_key in [k.api_key for k in listed]
    assert caller.delete_special_key(api_name=name, symbol="BTCUSDT").data() == {}
    assert code(trader.get_account) == -2015


def test_a_special_key_that_only_reads(server, key, secrets):
    caller, name = clients.margin(server.api, key), next(names)
    special = create(caller, "ed25519", secrets, name, permission_mode="READ")
    reader = clients.spot(server.api, special)
    assert reader.get_account().data().account_type == "MARGIN"
    assert code(lambda: reader.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.001)) == -2015
    assert caller.delete_special_key(api_name=name).data() == {}


def test_deleting_by_name_takes_every_key_of_that_name(server, key, secrets):
    caller, name = clients.margin(server.api, key), next(names)
    twins = [create(caller, key_type, secrets, name) for key_type in ("hmac", "ed25519")]
    other = create(caller, "hmac", secrets, name + " too")
    assert caller.delete_special_key(api_name=name).data() == {}
    left = [k.api_key for k in caller.query_special_key_list().data()]
    assert other.api_key in left and not {twin.api_key for twin in twins} & set(left)
    gone = {"apiKey": other.api_key, "apiName": "ignored beside the key"}
    assert clients.send(caller, "DELETE", PATH, **gone).data() == {}
    assert code(clients.spot(server.api, other).get_account) == -2015


def test_public_keys_in_other_clothes(server, key):
    caller, name = clients.margin(server.api, key), next(names)
    for key_type in ("rsa", "ed25519"):
        private, pem = new_pair(key_type)
        bare = "".join(pem.strip().splitlines()[1:-1])
        for text in (bare, pem.replace("\n", "\r\n"), pem.replace("\n", "")):
            made = caller.create_special_key(name, ip=HOME, public_key=text).data()
            assert clients.spot(server.api, Key(key_type, made.api_key, private)).get_account().status == 200
    assert caller.delete_special_key(api_name=name).data() == {}


def test_what_is_not_a_public_key_is_refused(server, key):
    caller, name = clients.margin(server.api, key), next(names)
    private, _ = new_pair("ed25519")
    for text in (private, "nonsense", "MCowBQYDK2VwAyEA" + "A" * 43 + "="):
        assert code(lambda: caller.create_special_key(name, ip=HOME, public_key=text)) == -1130
    assert name not in [k.api_name for k in caller.query_special_key_list().data()]


def test_parameters_of_the_family(server, key):
    caller, name = clients.margin(server.api, key), next(names)
    assert code(lambda: caller.create_special_key(name, ip="not an address")) == -1130
    assert code(lambda: caller.create_special_key(name, ip=",".join(f"10.0.0.{n}" for n in range(31)))) == -1130
    assert code(lambda: caller.create_special_key(name, ip=HOME, symbol="NOPE")) in (-3028, -1121)
    # The SDK's own methods for these two leave the key out.
    assert code(caller.query_special_key) == -1102
    assert code(lambda: caller.edit_ip_for_special_key(HOME)) == -1102


def test_refusals_on_the_margin_family(server, key, elsewhere, reader):
    name = next(names)

    def made_by(caller) -> int:
        return code(lambda: caller.create_special_key(name, ip=HOME))

    assert made_by(clients.margin(server.api, wrong_secret(key))) == -1022
    assert made_by(clients.margin(server.api, elsewhere)) == -2015
    assert made_by(clients.margin(server.api, reader)) == -2015
    assert made_by(clients.margin(server.api, Key(key.type, "A" * 64, key.secret))) == -2008
    stale = {"apiName": name, "ip": HOME, "timestamp": 1_600_000_000_000}
    caller = clients.margin(server.api, key)
    assert code(lambda: clients.send(caller, "POST", PATH, **stale)) == -1021
    assert name not in [k.api_name for k in caller.query_special_key_list().data()]


def test_margin_accounts_and_pairs(server, key):
    caller = clients.margin(server.api, key)
    cross = caller.query_cross_margin_account_details().data()
    assert cross.created and cross.account_type == "MARGIN_1"
    assert Decimal(next(a.free for a in cross.user_assets if a.asset == "USDT")) > 0
    isolated = caller.query_isolated_margin_account_info().data()
    assert {a.symbol for a in isolated.assets} == {"BTCUSDT", "ETHUSDT"}
    # Asked with the key's header alone, without timestamp or signature.
    assert "BTCUSDT" in [pair.symbol for pair in caller.get_all_cross_margin_pairs().data()]
    assert "BTCUSDT" in [pair.symbol for pair in caller.get_all_isolated_margin_symbol().data()]
