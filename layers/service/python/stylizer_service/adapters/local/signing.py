"""Signatures for links and upload forms: HMAC-SHA256 with a secret that never leaves the data folder."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path


class Signer:
    """Signs and verifies sequences of strings.

    Args:
        secret: At least 32 random bytes.
    """

    def __init__(self, secret: bytes):
        self._secret = secret

    def sign(self, *parts: str) -> str:
        """Return a signature over the parts, in hexadecimal."""
        # Length prefixes distinguish ("ab", "c") from ("a", "bc").
        message = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.new(self._secret, message.encode(), hashlib.sha256).hexdigest()

    def matches(self, signature: str, *parts: str) -> bool:
        """Return whether the signature is valid, compared in constant time."""
        return hmac.compare_digest(self.sign(*parts).encode(), signature.encode())


def load_secret(path: Path) -> bytes:
    """Read the secret, creating it on first use; concurrent processes agree on one.

    Args:
        path: The file, readable only by its owner.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            # Unlike a rename, a hard link never replaces a secret that another process created first.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
