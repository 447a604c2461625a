"""The REST API: a FastAPI app over the service, the same on one machine and on AWS."""
