"""Development tools: checkout setup for the Makefile, and fuzz, load and chaos tests."""
