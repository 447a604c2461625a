"""Chaos test: many jobs from well-behaved clients while the server, stores and network under them are made to fail.

Processes are killed, disks filled, databases locked and responses corrupted. At the end each accepted job must have
reached a known terminal state, no painting may have been finished twice, and nothing may be left over.

    python -m tools.chaos --help
"""
