"""One server for all the clients, and the rules that hold for each test."""

from decimal import Decimal
from pathlib import Path

import pytest

from latchkey import KEY_TYPES, Caller, Key, Server

TRADER = "trader@example.com"
BYSTANDER = "bystander@example.com"
SUB = "sub@example.com"
STRANGERS_SUB = "sub-of-bystander@example.com"
DEBTOR = "debtor@example.com"
WORLD = Path(__file__).with_name("world.toml")

# What the SDKs log when an answer does not have the types that they declare. They then go on with
# what they got, so without this rule a wrong type would pass every test.
TYPE_WARNINGS = ("did not match the declared types", "Failed to parse")
# What they log of every answer whose type they declare as `object`, whatever it holds.
UNTYPED = "type object 'object' has no attribute 'model_validate'"


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Server:
    running = Server(WORLD, tmp_path_factory.mktemp("foreign") / "data")
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture(scope="session")
def secrets() -> set[str]:
    """Every secret that came up in the run; the last test looks for each in logs and files."""
    return set()


@pytest.fixture(params=KEY_TYPES)
def key(request, server) -> Key:
    """The trader's key of each type: reads and trades from the address that the tests call from."""
    return server.key(TRADER, request.param)


@pytest.fixture
def elsewhere(key, server) -> Key:
    """The same rights, but usable from another address only."""
    return server.key(TRADER, f"{key.type}-elsewhere")


@pytest.fixture
def reader(key, server) -> Key:
    """The same type, but with no right beyond reading."""
    return server.key(TRADER, f"{key.type}-reader")


@pytest.fixture(autouse=True)
def declared_types(caplog):
    """No answer had a type other than the one that an official SDK declares."""
    yield
    wrong = [
        record.getMessage()
        for phase in ("setup", "call")
        for record in caplog.get_records(phase)
        if any(text in record.getMessage() for text in TYPE_WARNINGS) and UNTYPED not in record.getMessage()
    ]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def low_price(server) -> str:
    """A price for a bid on BTCUSDT that the market does not reach."""
    best = Caller(server.api).call("GET", "/api/v3/ticker/bookTicker", symbol="BTCUSDT").body
    return str((Decimal(best["bidPrice"]) * Decimal("0.7")).quantize(Decimal("1")))
