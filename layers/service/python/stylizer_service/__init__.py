"""The service: resources, use cases and ports, free of HTTP and torch, and adapters for the ports."""

__version__ = "0.1.0"
