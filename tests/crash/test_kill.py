"""`kill -9` under load: every answer holds after the restart, and nothing that was not asked for happened."""

import os
import random
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from latchkey import Caller, Server
from load import SYMBOLS, Load

KILLS = int(os.environ.get("LATCHKEY_PROOF_KILLS", "3"))
LOADED, BYSTANDER = "loaded@example.com", "bystander@example.com"
BASE_QUOTE = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}
KEPT = (
    "symbol orderId orderListId clientOrderId price origQty origQuoteOrderQty type side timeInForce "
    "selfTradePreventionMode workingTime"
).split()
ENDED = ("status", "executedQty", "cummulativeQuoteQty")
OPEN = ("NEW", "PARTIALLY_FILLED")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(Path(__file__).with_name("world.toml"), tmp_path_factory.mktemp("crash") / "data")
    yield running
    running.process.kill()


def balances(caller: Caller) -> dict:
    answer = caller.call("GET", "/api/v3/account", omitZeroBalances="true").body
    return {b["asset"]: (Decimal(b["free"]), Decimal(b["locked"])) for b in answer["balances"]}


def pages(caller: Caller, path: str, symbol: str, key: str, first: int, by: str) -> list:
    """All rows of `symbol` from `first` on, page by page."""
    rows = []
    while True:
        page = caller.call("GET", path, symbol=symbol, limit=1000, **{by: first}).body
        assert isinstance(page, list), page
        rows += page
        if len(page) < 1000:
            return rows
        first = page[-1][key] + 1


class House:
    """What the account must hold, carried from kill to kill."""

    def __init__(self, caller: Caller):
        self.totals = {asset: free + locked for asset, (free, locked) in balances(caller).items()}
        self.next_order = dict.fromkeys(SYMBOLS, 0)
        self.next_trade = dict.fromkeys(SYMBOLS, 0)

    def check(self, caller: Caller, ledger):
        found, trades = {}, defaultdict(list)
        for symbol in SYMBOLS:
            orders = pages(caller, "/api/v3/allOrders", symbol, "orderId", self.next_order[symbol], "orderId")
            for order in orders:
                assert order["clientOrderId"] not in found, "one order is there twice"
                found[order["clientOrderId"]] = order
            rows = pages(caller, "/api/v3/myTrades", symbol, "id", self.next_trade[symbol], "fromId")
            assert len({row["id"] for row in rows}) == len(rows)
            for row in rows:
                trades[symbol, row["orderId"]].append(row)
            self.next_order[symbol] = max([self.next_order[symbol], *(o["orderId"] + 1 for o in orders)])
            self.next_trade[symbol] = max([self.next_trade[symbol], *(row["id"] + 1 for row in rows)])

        self._answers_hold(ledger, found, trades)
        assert set(found) <= set(ledger.placements_sent), "an order that nobody sent"
        for order in found.values():
            rows = trades.pop((order["symbol"], order["orderId"]), [])
            assert sum(Decimal(row["qty"]) for row in rows) == Decimal(order["executedQty"])
            assert sum(Decimal(row["quoteQty"]) for row in rows) == Decimal(order["cummulativeQuoteQty"])
            self._settle(order, rows)
        assert not trades, "a trade without its order"
        self._holds(caller, [order for order in found.values() if order["status"] in OPEN])

    def _answers_hold(self, ledger, found, trades):
        for name, answer in ledger.placements.items():
            order = found.get(name)
            assert order, f"answered order {name} is gone"
            assert {k: order[k] for k in KEPT} == {k: answer[k] for k in KEPT}
            if answer["status"] not in OPEN:
                assert {k: order[k] for k in ENDED} == {k: answer[k] for k in ENDED}
            elif name in ledger.cancels:
                assert {k: order[k] for k in ENDED} == {k: ledger.cancels[name][k] for k in ENDED}
            elif name in ledger.cancels_sent:
                assert order["status"] in ("NEW", "CANCELED")
            else:
                assert order["status"] == "NEW", f"open order {name} is {order['status']}"
            rows = trades.get((order["symbol"], order["orderId"]), [])
            assert [(r["id"], r["price"], r["qty"], r["commission"], r["commissionAsset"]) for r in rows] == [
                (f["tradeId"], f["price"], f["qty"], f["commission"], f["commissionAsset"]) for f in answer["fills"]
            ]

    def _settle(self, order, rows):
        base, quote = BASE_QUOTE[order["symbol"]]
        sign = 1 if order["side"] == "BUY" else -1
        for row in rows:
            self.totals[base] += sign * Decimal(row["qty"])
            self.totals[quote] -= sign * Decimal(row["quoteQty"])
            self.totals[row["commissionAsset"]] -= Decimal(row["commission"])

    def _holds(self, caller: Caller, resting: list):
        locks = defaultdict(Decimal)
        for order in resting:
            base, quote = BASE_QUOTE[order["symbol"]]
            left = Decimal(order["origQty"]) - Decimal(order["executedQty"])
            if order["side"] == "BUY":
                locks[quote] += left * Decimal(order["price"])
            else:
                locks[base] += left
        listed = caller.call("GET", "/api/v3/openOrders").body
        assert {o["clientOrderId"] for o in listed} == {o["clientOrderId"] for o in resting}
        held = balances(caller)
        assert {asset: free + locked for asset, (free, locked) in held.items()} == self.totals
        assert {asset: locked for asset, (_, locked) in held.items() if locked} == dict(locks)


def check_keys(server: Server, owner: Caller, ledger):
    listed = {k["apiKey"]: k["apiName"] for k in owner.call("GET", "/sapi/v1/margin/api-key-list").body}
    assert set(listed.values()) <= ledger.keys_sent, "a key that nobody asked for"
    for name, key in ledger.keys.items():
        answer = Caller(server.api, key).call("GET", "/api/v3/account")
        if name in ledger.deletions:
            assert answer.code == -2015 and key.api_key not in listed, f"deleted key `{name}` is back"
        elif name not in ledger.deletions_sent:
            assert answer.status == 200 and listed[key.api_key] == name, f"answered key `{name}` is gone"
    for name in set(listed.values()):
        assert owner.call("DELETE", "/sapi/v1/margin/apiKey", apiName=name).status == 200


def test_kill_under_load(server):
    key, reader = server.key(LOADED, "load"), server.key(BYSTANDER, "reader")
    house = House(Caller(server.api, key))
    bystander = balances(Caller(server.api, reader))
    answered = 0
    for seed in range(1, KILLS + 1):
        prices = {
            symbol: float(Caller(server.api).call("GET", "/api/v3/ticker/price", symbol=symbol).body["price"])
            for symbol in SYMBOLS
        }
        load = Load(server.api, key, prices, seed)
        time.sleep(random.Random(seed).uniform(0.3, 1.3))
        load.killed.set()
        server.kill()
        load.join()
        assert not load.ledger.faults, load.ledger.faults[:5]
        assert load.ledger.placements, "the load placed nothing"
        answered += len(load.ledger.placements) + len(load.ledger.cancels)

        server.restart()
        owner = Caller(server.api, key)
        house.check(owner, load.ledger)
        check_keys(server, owner, load.ledger)
        assert balances(Caller(server.api, reader)) == bystander
        for symbol in SYMBOLS:
            owner.call("DELETE", "/api/v3/openOrders", symbol=symbol)
        assert owner.call("GET", "/api/v3/openOrders").body == []
    print(f"{KILLS} kills, {answered} answers checked")
