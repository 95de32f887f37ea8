"""A load of signed orders over several connections that remembers what it was told."""

import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from latchkey import Key, encode

SYMBOLS = ("BTCUSDT", "ETHUSDT")
WORKERS = 8
OPEN_PER_WORKER = 12


@dataclass
class Ledger:
    """What was sent and what was answered; an entry that was sent and not answered may or may not have happened."""

    placements_sent: dict = field(default_factory=dict)
    placements: dict = field(default_factory=dict)
    cancels_sent: set = field(default_factory=set)
    cancels: dict = field(default_factory=dict)
    keys_sent: set = field(default_factory=set)
    keys: dict = field(default_factory=dict)
    deletions_sent: set = field(default_factory=set)
    deletions: set = field(default_factory=set)
    faults: list = field(default_factory=list)


class Connection:
    """One kept connection that signs with one key."""

    def __init__(self, api: str, key: Key):
        self.key = key
        self.http = http.client.HTTPConnection(urlsplit(api).netloc, timeout=20)

    def call(self, method: str, path: str, **parameters):
        query = encode({**parameters, "timestamp": int(time.time() * 1000), "recvWindow": 30000})
        query += "&signature=" + quote(self.key.sign(query), safe="")
        self.http.request(method, f"{path}?{query}", headers={"X-MBX-APIKEY": self.key.api_key})
        answer = self.http.getresponse()
        return answer.status, json.loads(answer.read())


class Load:
    """Runs the workers until the server is gone."""

    def __init__(self, api: str, key: Key, prices: dict, seed: int):
        self.api, self.key, self.prices, self.seed = api, key, prices, seed
        self.ledger = Ledger()
        self.killed = threading.Event()
        jobs = [(self._orders, number) for number in range(WORKERS)] + [(self._keys, WORKERS)]
        self.threads = [threading.Thread(target=self._run, args=job, daemon=True) for job in jobs]
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self.threads), "a worker hangs"

    def _run(self, work, number: int):
        try:
            work(Connection(self.api, self.key), random.Random(self.seed * 1000 + number), number)
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            if not self.killed.is_set():
                self.ledger.faults.append(f"worker {number} lost its connection: {error!r}")

    def _orders(self, connection: Connection, random: random.Random, number: int):
        ledger, resting, count = self.ledger, [], 0
        while True:
            if resting and (len(resting) >= OPEN_PER_WORKER or random.random() < 0.25):
                symbol, name = resting.pop(random.randrange(len(resting)))
                ledger.cancels_sent.add(name)
                status, body = connection.call("DELETE", "/api/v3/order", symbol=symbol, origClientOrderId=name)
                if self._good(status, body):
                    ledger.cancels[name] = body
                continue
            count += 1
            name = f"k{self.seed}-{number}-{count}"
            order = {"newClientOrderId": name, "newOrderRespType": "FULL", **self._order(random)}
            ledger.placements_sent[name] = order
            status, body = connection.call("POST", "/api/v3/order", **order)
            if self._good(status, body):
                ledger.placements[name] = body
                if body["status"] == "NEW":
                    resting.append((order["symbol"], name))

    def _order(self, random: random.Random) -> dict:
        symbol = random.choice(SYMBOLS)
        price, kind, side = self.prices[symbol], random.random(), random.choice(("BUY", "SELL"))
        quantity = {"BTCUSDT": "0.00%d", "ETHUSDT": "0.0%d"}[symbol] % random.randint(1, 9)
        order = {"symbol": symbol, "side": side, "quantity": quantity}
        if kind < 0.15:
            return {**order, "type": "MARKET"}
        if kind < 0.3:
            through = price * (1.02 if side == "BUY" else 0.98)
            return {**order, "type": "LIMIT", "timeInForce": "IOC", "price": f"{through:.0f}"}
        away = price * (random.uniform(0.5, 0.8) if side == "BUY" else random.uniform(1.3, 2))
        return {**order, "type": "LIMIT", "timeInForce": "GTC", "price": f"{away:.0f}"}

    def _keys(self, connection: Connection, random: random.Random, number: int):
        ledger, path, count, alive = self.ledger, "/sapi/v1/margin/apiKey", 0, []
        while True:
            if len(alive) >= 4:
                name = alive.pop(0)
                ledger.deletions_sent.add(name)
                status, body = connection.call("DELETE", path, apiName=name)
                if self._good(status, body):
                    ledger.deletions.add(name)
                continue
            count += 1
            name = f"round {self.seed} key {count}"
            ledger.keys_sent.add(name)
            status, body = connection.call("POST", path, apiName=name, ip="127.0.0.1")
            if self._good(status, body):
                ledger.keys[name] = Key("hmac", body["apiKey"], body["secretKey"], label=name)
                alive.append(name)

    def _good(self, status: int, body) -> bool:
        if status != 200:
            self.ledger.faults.append(f"{status} {body}")
        return status == 200
