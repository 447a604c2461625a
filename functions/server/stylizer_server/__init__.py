"""Local server: API, web page and painter on one machine, started by one command."""
