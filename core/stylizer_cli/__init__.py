"""The command line: `stylizer paint photo.jpg --style woodcut`, here or by a service.

It sees the library (`stylizer`) and the client (`stylizer_client`), which do not know of it nor of each other.
"""
