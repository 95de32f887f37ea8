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
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
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
CASES = int(os.environ.get("LATCHKEY_PROOF_EXAMPLES", "25"))
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
# These would end the session that the other calls are made with; a test of their own calls them.
ENDS_SESSIONS = ("signOut", "signOutEverywhere")
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
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


def known(server: Server, headers: dict[str, str], path: str) -> dict[str, str]:
    """What really is there, for the parts of `path` that name something."""
    found = {"account": "me"}
    if "{key}" in path:
        keys = requests.get(f"{server.console}/v1/accounts/me/keys", headers=headers, timeout=10).json()["keys"]
        found["key"] = keys[0]["id"] if keys else "01900000-0000-7000-8000-000000000000"
    if "{step_up}" in path:
        # Its keys: a change that always asks for a confirmation.
        asked = requests.delete(f"{server.console}/v1/accounts/me/keys", headers=headers, timeout=10)
        found["step_up"] = asked.json().get("stepUp", {}).get("id", "0" * 64)
    return {name: value for name, value in found.items() if f"{{{name}}}" in path}


def probe(server: Server, document, headers: dict[str, str]) -> int:
    """Sends every operation requests that fit the document and requests that do not; gives how many operations."""
    wrong, count = [], 0
    for found in document.exclude(operation_id=list(ENDS_SESSIONS)).get_all_operations():
        operation = found.ok()
        count += 1
        places = known(server, headers, operation.path) if headers else {}
        for mode, fixed in ((POSITIVE, {}), (POSITIVE, places), (NEGATIVE, {}), (NEGATIVE, places)):
            if fixed is places and not places:
                continue
            strategy = operation.as_strategy(generation_mode=mode, path_parameters=fixed or None)

            @PLAN
            @given(case=strategy)
            def answers(case):
                case.call_and_validate(headers=headers, checks=list(CHECKS))

            try:
                answers()
            except Unsatisfiable:
                # An operation without input has nothing that could not fit.
                pass
            except BaseExceptionGroup as failures:
                wrong.append(f"{operation.label}, {mode.name}:\n{failures}\n{failures.exceptions[0]}")
    assert not wrong, "\n\n".join(wrong)
    return count


@pytest.mark.parametrize("who", ["owner", "stranger", "nobody"])
def test_every_answer_is_documented(server, document, owner, stranger, who):
    headers = {"owner": owner, "stranger": stranger, "nobody": {}}[who]
    assert probe(server, document, headers) >= 51


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
