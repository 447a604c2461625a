"""Adapters of the ports: one machine, and AWS."""
