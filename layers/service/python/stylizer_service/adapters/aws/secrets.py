"""Webhook signing secret from Secrets Manager."""

from __future__ import annotations

from functools import cached_property

from stylizer_service.adapters.aws.clients import Clients

_SHORTEST = 32


class WebhookKey:
    """Fetches the secret on first call and caches it.

    Args:
        clients: Provides the Secrets Manager client, created on first use.
        secret_id: Name of the secret.
    """

    def __init__(self, clients: Clients, secret_id: str):
        self._clients = clients
        self._secret_id = secret_id

    def __call__(self) -> bytes:
        """Return the secret, at least 32 bytes. Raises ValueError if it is shorter."""
        return self._secret

    @cached_property
    def _secret(self) -> bytes:
        answer = self._clients.secrets.get_secret_value(SecretId=self._secret_id)
        secret = answer["SecretBinary"] if "SecretBinary" in answer else answer["SecretString"].encode()
        if len(secret) < _SHORTEST:
            raise ValueError(f"the secret {self._secret_id} has {len(secret)} bytes; at least {_SHORTEST} are needed")
        return secret
