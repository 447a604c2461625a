"""Webhooks: which addresses may be called, how a request is sent, and when it is sent again."""
