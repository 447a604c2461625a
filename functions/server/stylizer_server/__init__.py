"""Everything on one machine: the API, its page and a painter, started by one command."""
