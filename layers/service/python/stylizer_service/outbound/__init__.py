"""Outgoing HTTPS requests to addresses that callers give: public hosts only, within bounds."""
