"""What must be true once all the clients are done; this file runs last of its folder."""

import base64
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


def spellings(secret: str) -> list[bytes]:
    """How `secret` could lie in a file: as text, in hexadecimal, in base64 and, for a TOTP seed, as its bytes."""
    text = secret.encode()
    found = [text, text.hex().encode(), text.hex().upper().encode(), base64.b64encode(text).rstrip(b"=")]
    if secret.isupper():
        found.append(base64.b32decode(text))
    return found


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
    wanted = [spelling for secret in planted for spelling in spellings(secret)]
    for path in [*written, server.log_path]:
        content = path.read_bytes()
        assert not any(spelling in content for spelling in wanted), f"a secret lies in {path.name}"
