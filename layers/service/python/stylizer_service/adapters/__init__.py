"""Adapters for the ports: a single machine (`local`) and AWS (`aws`)."""
