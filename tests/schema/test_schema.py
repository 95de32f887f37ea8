"""The management API answers as its OpenAPI document says, whatever it is sent."""

import base64
import hashlib
import hmac
import os
import struct
import time
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from latchkey import Server

WORLD = Path(__file__).with_name("world.toml")
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORDS = {
    "owner@example.com": "planted password of the owner",
    "stranger@example.com": "planted password of a stranger",
}
CASES = int(os.environ.get("LATCHKEY_PROOF_CASES", "25"))
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
# These would end the session that the other calls are made with; a test of their own calls them.
ENDS_SESSIONS = ("signOut", "signOutEverywhere")
PLAN = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Server:
    running = Server(WORLD, tmp_path_factory.mktemp("schema") / "data")
    yield running
    if running.process.poll() is None:
        running.stop()


def code() -> str:
    """The one-time code of now (RFC 6238)."""
    digest = hmac.new(base64.b32decode(SEED), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def sign_in(server: Server, email: str) -> dict[str, str]:
    """The header of a new session."""
    body = {"email": email, "password": PASSWORDS[email], "transport": "bearer"}
    reply = requests.post(f"{server.console}/v1/session", json=body, timeout=10)
    if reply.status_code == 200:
        body = {"signIn": reply.json()["signIn"], "code": code()}
        reply = requests.post(f"{server.console}/v1/session/totp", json=body, timeout=10)
    assert reply.status_code == 201, reply.text
    return {"Authorization": f"Bearer {reply.json()['token']}"}


@pytest.fixture(scope="session")
def owner(server) -> dict[str, str]:
    return sign_in(server, "owner@example.com")


@pytest.fixture(scope="session")
def stranger(server) -> dict[str, str]:
    return sign_in(server, "stranger@example.com")


@pytest.fixture(scope="session")
def document(server, owner, stranger):
    """The document, read after both have signed in: what follows slows down further sign-ins from here."""
    return schemathesis.openapi.from_url(f"{server.console}/v1/openapi.json")


api = schemathesis.pytest.from_fixture("document").exclude(operation_id=list(ENDS_SESSIONS))


@api.parametrize()
@PLAN
def test_an_owner_gets_documented_answers(case, owner):
    case.call_and_validate(headers=owner, checks=list(CHECKS))


@api.parametrize()
@PLAN
def test_an_owner_without_a_factor_gets_documented_answers(case, stranger):
    case.call_and_validate(headers=stranger, checks=list(CHECKS))


@api.parametrize()
@PLAN
def test_nobody_gets_documented_answers(case):
    case.call_and_validate(checks=list(CHECKS))


def test_the_server_lives_and_complained_about_nothing(server, owner):
    assert server.process.poll() is None
    shown = requests.get(f"{server.console}/v1/accounts/me", headers=owner, timeout=10)
    assert shown.status_code == 200, shown.text
    log = server.log_path.read_text(errors="replace")
    assert "ERROR" not in log and "panicked" not in log, log[-4000:]


@pytest.mark.parametrize("path", ["/v1/session", "/v1/sessions"])
def test_a_session_ends_as_documented(server, owner, stranger, path):
    mine = owner if path == "/v1/session" else stranger
    assert requests.delete(f"{server.console}{path}", headers=mine, timeout=10).status_code == 204
    assert requests.get(f"{server.console}/v1/session", headers=mine, timeout=10).status_code == 401
