"""Signatures for links and upload forms: HMAC-SHA256 with a secret that never leaves the data folder."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path


class Signer:
    """Signs and checks lists of texts.

    Args:
        secret: At least 32 random bytes.
    """

    def __init__(self, secret: bytes):
        self._secret = secret

    def sign(self, *parts: str) -> str:
        """A signature over the parts, as hexadecimal text."""
        # Lengths keep ("ab", "c") and ("a", "bc") apart.
        message = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.new(self._secret, message.encode(), hashlib.sha256).hexdigest()

    def matches(self, signature: str, *parts: str) -> bool:
        """Whether the signature is ours, compared in constant time."""
        return hmac.compare_digest(self.sign(*parts).encode(), signature.encode())


def load_secret(path: Path) -> bytes:
    """Read the secret, made on first use; processes that start together agree on one.

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
            # Unlike a rename, a link never replaces what another process has put there first.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
