"""How the shipped weights were made, re-runnable; not part of the product."""
