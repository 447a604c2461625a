"""The life of a job: claimed, finished, reconciled, retained and deleted."""
