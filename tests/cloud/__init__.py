"""A stage of the service on one machine: moto for the stores, and what plays the event sources and SageMaker.

The handlers, the container, boto3 and HTTP are the real ones.
"""
