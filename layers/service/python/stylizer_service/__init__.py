"""Service layer: resources, use cases, ports and their adapters. Imports neither HTTP frameworks nor torch."""

__version__ = "0.1.0"
