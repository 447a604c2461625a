"""Set-up of a checkout: what the Makefile calls before anything else can run."""
