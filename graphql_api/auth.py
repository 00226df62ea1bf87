"""Access tokens: EdDSA-signed, ten minutes long, checked once and remembered until they expire."""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from db.connection import Viewer
from db.errors import Unauthenticated
from db.keyfile import secret_file

AUDIENCE = "vidura"
REQUIRED = ["iss", "aud", "iat", "exp", "sub", "ws", "role", "tv"]
REMEMBERED = 10_000
SKEW_SECONDS = 30


class TokenExpired(Unauthenticated):
    """The token was good once: fetch a fresh one and come back."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says: who, by which version of their tokens, and until which instant (UTC)."""

    viewer: Viewer
    token_version: int
    expires_at: datetime


class TokenKeys:
    """The key that signs access tokens and the keys that check them, by `kid`."""

    def __init__(
        self,
        key: Ed25519PrivateKey,
        *,
        issuer: str,
        seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._issuer = issuer
        self._seconds = seconds
        self._now = now
        public = key.public_key()
        self._kid = thumbprint(public)
        self._public: dict[str, Ed25519PublicKey] = {self._kid: public}
        self._verified: dict[bytes, Claims] = {}

    @classmethod
    def load(cls, pem: str, home: Path, *, issuer: str, seconds: float) -> "TokenKeys":
        """Takes the key of `pem`, else the one kept in `home`; ValueError if it is not an Ed25519 key."""
        source = pem.encode() or secret_file(home / "keys" / "jwt.pem", _new_pem)
        key = load_pem_private_key(source, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("JWT_PRIVATE_KEY must be an Ed25519 private key in PEM form.")
        return cls(key, issuer=issuer, seconds=seconds)

    def issue(self, viewer: Viewer, token_version: int) -> tuple[str, datetime]:
        """A signed token and the instant (UTC, whole seconds) it expires at."""
        issued = int(self._now())
        expires = issued + int(self._seconds)
        payload = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "iat": issued,
            "exp": expires,
            "sub": str(viewer.user_id),
            "ws": str(viewer.workspace_id),
            "role": viewer.role,
            "tv": token_version,
        }
        token = jwt.encode(payload, self._key, algorithm="EdDSA", headers={"kid": self._kid})
        return token, datetime.fromtimestamp(expires, UTC)

    def verify(self, token: str) -> Claims:
        """What a token says, if one of our keys signed it for us; else Unauthenticated or TokenExpired."""
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._verified.get(digest)
        if claims is None:
            claims = self._decode(token)
            self._remember(digest, claims)
        if claims.expires_at.timestamp() <= self._now():
            del self._verified[digest]
            raise TokenExpired("Your session has expired. Log in again or refresh it.")
        return claims

    def forget(self) -> None:
        """Empties the memory of checked tokens, so that each is looked at anew."""
        self._verified.clear()

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set, for those who check our tokens themselves."""
        return {
            "keys": [
                {**_jwk(public), "kid": kid, "use": "sig", "alg": "EdDSA"}
                for kid, public in self._public.items()
            ]
        }

    def _decode(self, token: str) -> Claims:
        try:
            key = self._public[jwt.get_unverified_header(token)["kid"]]
            payload = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=SKEW_SECONDS,
                # Expiry is compared by `verify`, without leeway and for remembered tokens too.
                options={"require": REQUIRED, "verify_exp": False},
            )
            viewer = Viewer(UUID(payload["sub"]), UUID(payload["ws"]), str(payload["role"]))
            expires_at = datetime.fromtimestamp(int(payload["exp"]), UTC)
            return Claims(viewer, int(payload["tv"]), expires_at)
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, OverflowError) as error:
            raise Unauthenticated("This access token is not valid. Log in again.") from error

    def _remember(self, digest: bytes, claims: Claims) -> None:
        if len(self._verified) >= REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = claims


def thumbprint(public: Ed25519PublicKey) -> str:
    """The key's name: its RFC 7638 thumbprint."""
    canonical = json.dumps(_jwk(public), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _jwk(public: Ed25519PublicKey) -> dict[str, str]:
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _base64url(public.public_bytes(Encoding.Raw, PublicFormat.Raw)),
    }


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
