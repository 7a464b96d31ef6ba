"""SCRAM credentials (RFC 5802, KIP-84) as the metadata log keeps them: never the password, nor what it could be found from quickly. Pure."""

from __future__ import annotations

import hashlib
import hmac

MECHANISMS = {"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}
"""Name -> number in records and requests."""
_HASHES = {1: "sha256", 2: "sha512"}

LEAST_ITERATIONS = 4096
MOST_ITERATIONS = 16384


def salted_password(mechanism: int, password: str, salt: bytes, iterations: int) -> bytes:
    """What the keys are made from."""
    return hashlib.pbkdf2_hmac(_HASHES[mechanism], password.encode(), salt, iterations)


def keys(mechanism: int, salted: bytes) -> tuple[bytes, bytes]:
    """(stored key, server key) of a salted password."""
    name = _HASHES[mechanism]
    client_key = hmac.digest(salted, b"Client Key", name)
    return hashlib.new(name, client_key).digest(), hmac.digest(salted, b"Server Key", name)
