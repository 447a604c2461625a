"""How long painting takes, and how much memory: measured, never tested."""
