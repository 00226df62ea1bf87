"""Access tokens: what is believed, what is refused, and for how long."""

import base64
import json
import time
import warnings
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from db.connection import Viewer
from db.errors import Unauthenticated
from graphql_api.auth import AUDIENCE, REQUIRED, TokenExpired, TokenKeys, thumbprint

ISSUER = "https://vidura.example"
VIEWER = Viewer(uuid4(), uuid4(), "USER")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(key: Ed25519PrivateKey, clock: Clock) -> TokenKeys:
    return TokenKeys(key, issuer=ISSUER, seconds=600, now=clock)


def payload(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 600,
        "sub": str(uuid4()),
        "ws": str(uuid4()),
        "role": "USER",
        "tv": 1,
    }
    return {**claims, **changed}


def signed(key: Ed25519PrivateKey, claims: dict[str, Any], kid: str | None = None) -> str:
    headers = {"kid": kid or thumbprint(key.public_key())}
    return jwt.encode(claims, key, algorithm="EdDSA", headers=headers)


def test_an_issued_token_says_who_and_until_when(keys: TokenKeys, clock: Clock) -> None:
    token, expires_at = keys.issue(VIEWER, 3)
    claims = keys.verify(token)
    assert (claims.viewer, claims.token_version, claims.expires_at) == (VIEWER, 3, expires_at)
    assert expires_at.timestamp() == int(clock.now) + 600


def test_a_remembered_token_still_expires(keys: TokenKeys, clock: Clock) -> None:
    token, expires_at = keys.issue(VIEWER, 1)
    keys.verify(token)
    clock.now = expires_at.timestamp() - 0.001
    keys.verify(token)
    clock.now = expires_at.timestamp()
    with pytest.raises(TokenExpired):
        keys.verify(token)


def test_a_token_that_was_never_seen_before_it_expired_is_refused(key: Ed25519PrivateKey) -> None:
    keys = TokenKeys(key, issuer=ISSUER, seconds=600)
    with pytest.raises(TokenExpired):
        keys.verify(signed(key, payload(iat=1_000, exp=1_600)))


def test_an_unsigned_token_is_refused(key: Ed25519PrivateKey, keys: TokenKeys) -> None:
    kid = thumbprint(key.public_key())
    with pytest.raises(Unauthenticated):
        keys.verify(jwt.encode(payload(), "", algorithm="none", headers={"kid": kid}))


def test_the_public_key_is_no_shared_secret(key: Ed25519PrivateKey, keys: TokenKeys) -> None:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    header = {"alg": "HS256", "typ": "JWT", "kid": thumbprint(key.public_key())}
    with warnings.catch_warnings(action="ignore"):
        forged = jwt.encode(payload(), raw, algorithm="HS256", headers=header)
    with pytest.raises(Unauthenticated):
        keys.verify(forged)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "somebody-else"},
        {"iss": "https://elsewhere.example"},
        {"iat": int(time.time()) + 3600},
        {"sub": "not-a-uuid"},
        {"tv": None},
        {"exp": "soon"},
        {"exp": 10**30},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_token_with_a_wrong_claim_is_refused(
    key: Ed25519PrivateKey, keys: TokenKeys, changed: dict[str, Any]
) -> None:
    keys.verify(signed(key, payload()))
    with pytest.raises(Unauthenticated):
        keys.verify(signed(key, payload(**changed)))


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_token_that_lacks_a_claim_is_refused(key: Ed25519PrivateKey, keys: TokenKeys, missing: str) -> None:
    claims = payload()
    del claims[missing]
    with pytest.raises(Unauthenticated):
        keys.verify(signed(key, claims))


def test_a_key_we_do_not_know_is_refused(key: Ed25519PrivateKey, keys: TokenKeys) -> None:
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(Unauthenticated):
        keys.verify(signed(stranger, payload()))
    with pytest.raises(Unauthenticated):
        keys.verify(signed(stranger, payload(), kid=thumbprint(key.public_key())))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "." * 10_000])
def test_what_is_no_token_at_all_is_refused(keys: TokenKeys, token: str) -> None:
    with pytest.raises(Unauthenticated):
        keys.verify(token)


def test_a_tampered_token_is_refused(keys: TokenKeys) -> None:
    head, body, signature = keys.issue(VIEWER, 1)[0].split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["role"] = "ADMIN"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    with pytest.raises(Unauthenticated):
        keys.verify(f"{head}.{forged}.{signature}")


def test_forgetting_looks_at_every_token_anew(key: Ed25519PrivateKey, clock: Clock) -> None:
    issuer = TokenKeys(key, issuer=ISSUER, seconds=600, now=clock)
    token, _ = issuer.issue(VIEWER, 1)
    first = issuer.verify(token)
    assert issuer.verify(token) is first
    issuer.forget()
    assert issuer.verify(token) is not first


def test_the_memory_of_tokens_is_bounded(keys: TokenKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphql_api.auth.REMEMBERED", 2)
    tokens = [keys.issue(VIEWER, version)[0] for version in range(3)]
    first = keys.verify(tokens[0])
    for token in tokens[1:]:
        keys.verify(token)
    assert keys.verify(tokens[0]) is not first


def test_anyone_can_check_a_token_by_the_published_keys(keys: TokenKeys) -> None:
    token, _ = keys.issue(VIEWER, 1)
    published = jwt.PyJWKSet.from_dict(keys.jwks())
    key = published[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, audience=AUDIENCE, issuer=ISSUER)["sub"] == str(VIEWER.user_id)


def test_a_second_process_believes_the_tokens_of_the_first(tmp_path: Path) -> None:
    first, second = (TokenKeys.load("", tmp_path, issuer=ISSUER, seconds=600) for _ in range(2))
    assert second.verify(first.issue(VIEWER, 1)[0]).viewer == VIEWER


def test_a_configured_key_is_used_and_another_kind_is_refused(key: Ed25519PrivateKey, tmp_path: Path) -> None:
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    keys = TokenKeys.load(key.private_bytes(*form).decode(), tmp_path, issuer=ISSUER, seconds=600)
    assert keys.jwks()["keys"][0]["kid"] == thumbprint(key.public_key())
    rsa = generate_private_key(65537, 2048).private_bytes(*form).decode()
    with pytest.raises(ValueError, match="Ed25519"):
        TokenKeys.load(rsa, tmp_path, issuer=ISSUER, seconds=600)
