"""What must be true once all the clients are done; this file runs last of its folder."""

import tomllib

from conftest import BYSTANDER, WORLD
from latchkey import Caller


def test_the_bystander_is_untouched(server):
    caller = Caller(server.api, server.key(BYSTANDER, "reader"))
    balances = {b["asset"]: b for b in caller.call("GET", "/api/v3/account", omitZeroBalances="true").body["balances"]}
    assert {asset: (b["free"], b["locked"]) for asset, b in balances.items()} == {
        "USDT": ("777.00000000", "0.00000000"),
        "ETH": ("3.00000000", "0.00000000"),
    }
    assert caller.call("GET", "/api/v3/openOrders").body == []


def test_no_secret_in_logs_or_files(server, secrets):
    """Every secret of the run, asked for in all that the server wrote beside the credentials file."""
    planted = set(secrets)
    handed_out = {server.folder / "credentials.json"}
    for entry in server.credentials():
        if entry.get("secretKey"):
            planted.add(entry["secretKey"])
        if entry.get("privateKeyPath"):
            path = server.folder / entry["privateKeyPath"]
            handed_out.add(path)
            planted.add(path.read_text().splitlines()[1])
    for account in tomllib.loads(WORLD.read_text())["account"]:
        planted |= {account[name] for name in ("password", "totp") if name in account}
    assert len(planted) > 20

    assert server.stop() == 0
    assert len(server.stdout) == 1, "standard output carries the ready line and nothing else"
    written = [path for path in server.folder.rglob("*") if path.is_file() and path not in handed_out]
    assert len(written) >= 2
    for path in [*written, server.log_path]:
        content = path.read_bytes()
        for secret in planted:
            assert secret.encode() not in content, f"a secret lies in {path.name}"
