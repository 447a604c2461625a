"""The sandbox: work on untrusted data in forked processes with resource limits."""
