"""Starts a Latchkey, finds its keys and signs raw calls: what the tests here share."""

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from requests.adapters import HTTPAdapter

KEY_TYPES = ("hmac", "rsa", "ed25519")
HOME = "127.0.0.1"
ELSEWHERE = "127.0.0.9"
START_SECONDS = 90
READY = re.compile(r"^ready api=(\S+) console=(\S+) ops=(\S+)")


@dataclass(frozen=True)
class Key:
    """A key as a client is configured with it: `secret` is the HMAC secret or the private key's PEM text."""

    type: str
    api_key: str
    secret: str
    account: str = ""
    label: str = ""

    def sign(self, payload: str) -> str:
        """The signature of `payload` as it stands on the wire, before percent-encoding."""
        text = payload.encode()
        if self.type == "hmac":
            return hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()
        private = serialization.load_pem_private_key(self.secret.encode(), None)
        if self.type == "rsa":
            return base64.b64encode(private.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()
        return base64.b64encode(private.sign(text)).decode()


def new_pair(key_type: str) -> tuple[str, str]:
    """A fresh key pair: private PEM (PKCS#8) and public PEM."""
    private = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if key_type == "rsa"
        else ed25519.Ed25519PrivateKey.generate()
    )
    return (
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


def wrong_secret(key: Key) -> Key:
    """The same key with a secret that is well-formed and not its own."""
    other = "w" * 64 if key.type == "hmac" else new_pair(key.type)[0]
    return Key(key.type, key.api_key, other, key.account, key.label)


class From(HTTPAdapter):
    """Makes a session call from one local address."""

    def __init__(self, address: str):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, source_address=(self.address, 0), **kwargs)


class Server:
    """A running `latchkey demo` on ports of its own choosing."""

    def __init__(self, world: Path, folder: Path):
        self.world, self.folder = world, folder
        self.log_path = folder.with_name(folder.name + ".log")
        self.stdout: list[str] = []
        self._start()

    def _start(self):
        binary = os.environ.get("LATCHKEY_BIN")
        if not binary:
            raise RuntimeError("LATCHKEY_BIN names the server's binary; `cargo xtask e2e` sets it")
        free = f"{HOME}:0"
        command = [binary, "demo", "--world", str(self.world), "--dir", str(self.folder)]
        command += ["--api", free, "--console", free, "--ops", free]
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        ready = threading.Event()

        def read(stream):
            for line in stream:
                self.stdout.append(line.rstrip("\n"))
                ready.set()
            ready.set()

        self._reader = threading.Thread(target=read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        ready.wait(START_SECONDS)
        found = READY.match(self.stdout[-1]) if self.stdout else None
        if not found:
            self.process.kill()
            tail = self.log_path.read_text(errors="replace")[-4000:]
            raise RuntimeError(f"no ready line within {START_SECONDS} s; stdout {self.stdout}, log:\n{tail}")
        self.api, self.console, self.ops = found.groups()

    def credentials(self) -> list[dict]:
        """What the server wrote of the keys that it made."""
        return json.loads((self.folder / "credentials.json").read_text())

    def key(self, account: str, label: str) -> Key:
        """The key of `account` with `label`."""
        for entry in self.credentials():
            if entry.get("account") == account and entry.get("label") == label:
                if entry["type"].lower().startswith("hmac"):
                    return Key("hmac", entry["apiKey"], entry["secretKey"], account, label)
                private = (self.folder / entry["privateKeyPath"]).read_text()
                kind = "rsa" if entry["type"].lower() == "rsa" else "ed25519"
                return Key(kind, entry["apiKey"], private, account, label)
        raise LookupError(f"no key `{label}` of `{account}` in credentials.json")

    def operate(self, method: str, path: str, body: dict) -> requests.Response:
        """An operator's call with the token that the server wrote down."""
        token = next(entry["operatorToken"] for entry in self.credentials() if "operatorToken" in entry)
        session = requests.Session()
        session.trust_env = False
        headers = {"Authorization": f"Bearer {token}"}
        return session.request(method, self.ops + path, json=body, headers=headers, timeout=20)

    def kill(self):
        """SIGKILL: nothing is flushed, nothing is said."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self._close()

    def restart(self):
        """Starts again on the same folder."""
        self.stdout = []
        self._start()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(30)
        self._close()
        return status

    def _close(self):
        self._reader.join(10)
        self.process.stdout.close()
        self.log.close()


@dataclass
class Answer:
    """Status and decoded body of a raw call."""

    status: int
    body: object
    headers: dict

    @property
    def code(self):
        return self.body.get("code") if isinstance(self.body, dict) else None

    @property
    def message(self):
        return self.body.get("msg") if isinstance(self.body, dict) else None


_stamping = threading.Lock()
_last_stamp = 0


def next_millisecond() -> int:
    """The time in milliseconds, each one once: the same bytes signed twice in one of them are one request."""
    global _last_stamp
    with _stamping:
        while (now := int(time.time() * 1000)) <= _last_stamp:
            time.sleep(0.0002)
        _last_stamp = now
        return now


class Caller:
    """Signs and sends raw calls over one kept connection; everything goes in the query but a `form`."""

    def __init__(self, api: str, key: Key | None = None, source: str = HOME):
        self.api, self.key = api, key
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("http://", From(source))

    def call(self, method: str, path: str, form: dict | None = None, **parameters) -> Answer:
        headers, query, body = {}, encode(parameters), encode(form or {})
        if self.key:
            parameters.setdefault("timestamp", next_millisecond())
            query = encode(parameters)
            query += "&signature=" + requests.utils.quote(self.key.sign(query + body), safe="")
            headers["X-MBX-APIKEY"] = self.key.api_key
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = self.api + path + ("?" + query if query else "")
        answer = self.session.request(method, url, headers=headers, data=body or None, timeout=20)
        return Answer(answer.status_code, answer.json(), dict(answer.headers))


def encode(parameters: dict) -> str:
    """Name and value pairs, form-encoded in the order given."""
    return requests.models.RequestEncodingMixin._encode_params([(k, str(v)) for k, v in parameters.items()])
