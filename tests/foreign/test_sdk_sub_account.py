"""`binance-sdk-sub-account`: a master makes, shows, edits and deletes the keys of its sub-accounts."""

import itertools
import time

import pytest
from binance_common.errors import BadRequestError, UnauthorizedError

import clients
from conftest import STRANGERS_SUB, SUB
from latchkey import ELSEWHERE, HOME, KEY_TYPES, Caller, Key, new_pair

KEYS = "/sapi/v1/sub-account/subAccountApi"
KEYS_V2 = "/sapi/v2/sub-account/subAccountApi"
names = (f"sub key {number}" for number in itertools.count(1))


def code(action) -> int:
    with pytest.raises((BadRequestError, UnauthorizedError)) as error:
        action()
    return error.value.status_code


def create(caller, key_type: str, secrets: set, **parameters) -> Key:
    """A sub-account's key as its holder has it, restricted to the address that the tests call from."""
    private = None
    if key_type != "hmac":
        private, parameters["public_key"] = new_pair(key_type)
    name = next(names)
    made = caller.create_sub_account_api_key(SUB, name, 2, ip_address=HOME, **parameters).data()
    assert (made.api_name, made.status, made.ip_list) == (name, 2, [HOME])
    if private is None:
        secrets.add(made.secret_key)
    else:
        assert made.secret_key is None
    return Key(key_type, made.api_key, private or made.secret_key, SUB, name)


def rows(caller, **parameters):
    return caller.query_sub_account_api_key(SUB, **parameters).data()


@pytest.mark.parametrize("sub_type", KEY_TYPES)
def test_life_of_a_sub_account_key(server, key, sub_type, secrets):
    master = clients.sub_account(server.api, key)
    made = create(master, sub_type, secrets, can_trade=True)
    sub = clients.spot(server.api, made)
    assert sub.get_account().data().uid != clients.spot(server.api, key).get_account().data().uid
    assert sub.order_test("BTCUSDT", "BUY", "MARKET", quantity=0.001).status == 200

    found = rows(master, sub_account_api_key=made.api_key)
    assert found.total == 1
    row = found.rows[0]
    assert (row.email, row.api_name, row.apikey) == (SUB, made.label, made.api_key)
    assert (row.can_trade, row.can_margin_loan_repay, row.can_futures_trade) == (True, False, False)
    assert abs(row.timestamp - time.time() * 1000) < 3_600_000

    # What was not sent stays as it is.
    edited = master.modify_sub_account_api_key_permission(SUB, made.api_key, can_universal_transfer=True).data()
    assert (edited.apikey, edited.can_trade, edited.can_universal_transfer) == (made.api_key, True, True)
    edited = master.modify_sub_account_api_key_permission(SUB, made.api_key, can_trade=False).data()
    assert (edited.can_trade, edited.can_universal_transfer) == (False, True)
    assert code(lambda: sub.order_test("BTCUSDT", "BUY", "MARKET", quantity=0.001)) == -2015

    assert master.delete_sub_account_api_key(SUB, made.api_key).data() == {}
    assert code(sub.get_account) == -2015
    assert rows(master, sub_account_api_key=made.api_key).total == 0
    assert code(lambda: master.delete_sub_account_api_key(SUB, made.api_key)) == -1130


@pytest.mark.parametrize("sub_type", KEY_TYPES)
def test_addresses_are_added_shown_and_taken_away(server, key, sub_type, secrets):
    master = clients.sub_account(server.api, key)
    made = create(master, sub_type, secrets)
    sub = clients.spot(server.api, made)

    added = master.add_ip_restriction_for_sub_account_api_key(SUB, made.api_key, 2, ip_address=ELSEWHERE).data()
    assert (added.status, added.ip_list, added.api_key) == ("2", [HOME, ELSEWHERE], made.api_key)
    shown = master.get_ip_restriction_for_a_sub_account_api_key(SUB, made.api_key).data()
    assert (shown.ip_restrict, shown.ip_list, shown.api_key) == ("true", [HOME, ELSEWHERE], made.api_key)
    assert clients.spot(server.api, made, source=ELSEWHERE).get_account().status == 200

    cut = master.delete_ip_list_for_a_sub_account_api_key(SUB, made.api_key, HOME).data()
    assert (cut.ip_restrict, cut.ip_list) == ("true", [ELSEWHERE])
    assert code(sub.get_account) == -2015
    # Without its last address the key is usable from nowhere, not from everywhere.
    cut = master.delete_ip_list_for_a_sub_account_api_key(SUB, made.api_key, ELSEWHERE).data()
    assert (cut.ip_restrict, cut.ip_list) == ("true", [])
    assert code(clients.spot(server.api, made, source=ELSEWHERE).get_account) == -2015
    assert code(lambda: master.delete_ip_list_for_a_sub_account_api_key(SUB, made.api_key, HOME)) == -1130

    opened = master.add_ip_restriction_for_sub_account_api_key(SUB, made.api_key, 1).data()
    assert (opened.status, opened.ip_list) == ("1", [])
    assert sub.get_account().status == 200
    shown = master.get_ip_restriction_for_a_sub_account_api_key(SUB, made.api_key).data()
    assert (shown.ip_restrict, shown.ip_list) == ("false", [])
    assert master.delete_sub_account_api_key(SUB, made.api_key).data() == {}


def test_parameters_of_the_family(server, key):
    master = clients.sub_account(server.api, key)

    def create_with(status, **parameters) -> int:
        return code(lambda: master.create_sub_account_api_key(SUB, next(names), status, **parameters))

    assert create_with(2) == -1102
    assert create_with(3) == -1102
    assert create_with(3, third_party_name="somebody") == -1130
    assert create_with(4) == -1130
    assert create_with(1, ip_address=HOME) == -1106
    assert create_with(2, ip_address="10.0.0.0/8") == -1130
    assert create_with(2, ip_address=",".join(["255.100.100.100"] * 40)) == -1130
    assert create_with(2, ip_address=HOME, public_key="nonsense") == -1130
    for who in (STRANGERS_SUB, "nobody@example.com", "not an address", "trader@example.com"):
        assert code(lambda: master.query_sub_account_api_key(who)) == -5021
        assert code(lambda: master.create_sub_account_api_key(who, "a", 1)) == -5021
    assert code(lambda: master.get_ip_restriction_for_a_sub_account_api_key(SUB, "A" * 64)) == -1130


def test_the_list_has_pages(server, key, secrets):
    master = clients.sub_account(server.api, key)
    made = [create(master, "hmac", secrets).api_key for _ in range(3)]
    total = rows(master).total
    pages = [rows(master, page=page, size=2).rows for page in range(1, (total + 1) // 2 + 1)]
    listed = [row.apikey for page in pages for row in page]
    assert len(listed) == total and set(made) <= set(listed)
    assert rows(master, page=99, size=2).rows == []
    for api_key in made:
        master.delete_sub_account_api_key(SUB, api_key)


def test_version_two_takes_the_public_key_in_the_body_alone(server, key):
    caller = Caller(server.api, key)
    private, pem = new_pair("ed25519")
    asked = {"email": SUB, "apiName": next(names), "status": 2, "ipAddress": HOME}
    refused = caller.call("POST", KEYS_V2, publicKey=pem, **asked)
    assert (refused.status, refused.code) == (400, -1104)
    made = caller.call("POST", KEYS_V2, form={"publicKey": pem}, canFixApiTrading="true", canTrade="TRUE", **asked)
    assert made.status == 200, made.body
    assert (made.body["secretKey"], made.body["canFixApiTrading"], made.body["canFixApiReading"]) == (None, True, False)
    assert made.body["canTrade"] is True
    sub = Key("ed25519", made.body["apiKey"], private)
    rights = clients.wallet(server.api, sub).get_api_key_permission().data()
    assert rights.enable_fix_api_trade and rights.enable_spot_and_margin_trading and rights.ip_restrict
    # Permissions for FIX are for Ed25519 alone.
    for form in ({}, {"publicKey": new_pair("rsa")[1]}):
        other = caller.call("POST", KEYS_V2, form=form, canFixApiReading="true", **asked)
        assert (other.status, other.code, other.message) == (400, -9000, "Unsupported operation")
    assert caller.call("DELETE", KEYS, email=SUB, subAccountApiKey=made.body["apiKey"]).body == {}


def test_who_may_not_manage_the_keys_of_sub_accounts(server, key, elsewhere, reader, secrets):
    for holder in (elsewhere, reader):
        caller = clients.sub_account(server.api, holder)
        assert code(lambda: caller.create_sub_account_api_key(SUB, "a", 1)) == -2015
    made = create(clients.sub_account(server.api, key), "hmac", secrets, can_trade=True)
    # A sub-account's own key reaches neither itself nor its master.
    caller = clients.sub_account(server.api, made)
    for who in (SUB, "trader@example.com"):
        assert code(lambda: caller.query_sub_account_api_key(who)) == -5021
    # A special key manages no keys, whatever it may trade.
    margin = clients.margin(server.api, key)
    special = margin.create_special_key("special manager", ip=HOME).data()
    secrets.add(special.secret_key)
    caller = clients.sub_account(server.api, Key("hmac", special.api_key, special.secret_key))
    assert code(lambda: caller.query_sub_account_api_key(SUB)) == -2015
    assert code(lambda: caller.create_sub_account_api_key(SUB, "a", 1)) == -2015
    margin.delete_special_key(api_name="special manager")
    clients.sub_account(server.api, key).delete_sub_account_api_key(SUB, made.api_key)


def test_accounts_are_made_listed_and_opened(server, key):
    master = clients.sub_account(server.api, key)
    made = master.create_a_virtual_sub_account(f"desk{key.type}").data().email
    assert made.startswith(f"desk{key.type}_virtual@") and made.endswith("noemail.com")
    listed = {row.email: row for row in master.query_sub_account_list(limit=200).data().sub_accounts}
    assert {SUB, made} <= set(listed) and STRANGERS_SUB not in listed
    assert listed[made].is_freeze is False and listed[made].sub_user_id > 0
    assert len(master.query_sub_account_list().data().sub_accounts) == 1, "one a page unless asked for more"
    only = master.query_sub_account_list(email=made, limit=9).data().sub_accounts
    assert [row.email for row in only] == [made]

    def state():
        return master.get_sub_accounts_status_on_margin_or_futures(email=made).data()[0]

    assert (state().is_future_enabled, state().is_user_active) == (False, True)
    assert master.enable_futures_for_sub_account(made).data().is_futures_enabled is True
    assert master.enable_options_for_sub_account(made).data().is_e_options_enabled is True
    assert state().is_future_enabled is True
    # Only now can a key of it be granted futures.
    granted = master.create_sub_account_api_key(made, "f", 2, ip_address=HOME, can_futures_trade=True).data()
    assert granted.can_futures_trade is True
    assert code(lambda: master.create_a_virtual_sub_account("not plain!")) == -1100


def test_brokers_name_sub_accounts_by_their_number(server):
    key = server.key("trader@example.com", "hmac")
    master, caller = clients.sub_account(server.api, key), Caller(server.api, key)
    uid = master.query_sub_account_list(email=SUB).data().sub_accounts[0].sub_user_id
    path, (private, pem) = "/sapi/v1/broker/subAccountApi", new_pair("ed25519")
    made = caller.call("POST", path, subAccountId=uid, canTrade="true", publicKey=pem)
    assert made.status == 200, made.body
    api_key = made.body["apiKey"]
    assert made.body == {
        "subaccountId": str(uid),
        "apiKey": api_key,
        "secretKey": None,
        "canTrade": True,
        "marginTrade": False,
        "futuresTrade": False,
    }
    assert caller.call("POST", path, subAccountId=uid, canTrade="true", publicKey=pem).status == 429
    one = {"subAccountId": uid, "subAccountApiKey": api_key}
    assert caller.call("GET", path, **one).body == [
        {"subaccountId": str(uid), "apikey": api_key, "canTrade": True, "marginTrade": False, "futuresTrade": False}
    ]
    off = {"canTrade": "false", "marginTrade": "false", "futuresTrade": "false"}
    edited = caller.call("POST", path + "/permission", **off, **one)
    assert (edited.body["apikey"], edited.body["canTrade"]) == (api_key, False)
    moved = caller.call("POST", path + "/permission/universalTransfer", canUniversalTransfer="true", **one)
    assert moved.body == {"subaccountId": str(uid), "apikey": api_key, "canUniversalTransfer": True}
    limited = caller.call("POST", "/sapi/v2/broker/subAccountApi/ipRestriction", status=2, ipAddress=HOME, **one)
    assert (limited.body["status"], limited.body["ipList"], limited.body["apiKey"]) == ("2", [HOME], api_key)
    shown = caller.call("GET", path + "/ipRestriction", **one)
    assert (shown.body["ipRestrict"], shown.body["ipList"], shown.body["apikey"]) == ("true", [HOME], api_key)
    cut = caller.call("DELETE", path + "/ipRestriction/ipList", ipAddress=HOME, **one)
    assert (cut.body["ipRestrict"], cut.body["ipList"]) == ("true", [])
    assert caller.call("DELETE", path, **one).body == {}
    unknown = caller.call("GET", path, subAccountId=987654)
    assert (unknown.status, unknown.code) == (400, -5021)
