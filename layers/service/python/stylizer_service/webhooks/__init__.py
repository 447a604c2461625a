"""Webhooks: address validation, delivery with retries, and the HTTPS sender."""
