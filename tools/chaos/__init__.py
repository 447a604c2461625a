"""Many jobs, asked for by good clients, while everything under the service is killed, filled up, held and garbled.

At the end each job that was accepted must have come to an end that can be told, no painting may have been finished
twice, and nothing may be left over. `python -m tools.chaos --help`.
"""
