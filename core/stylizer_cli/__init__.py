"""Command line: `stylizer paint photo.jpg --style woodcut`, on this machine or by a service.

Depends on the library (`stylizer`) and the client (`stylizer_client`), which depend neither on it nor on each other.
"""
