"""The infrastructure on AWS, as a CDK app. It names paths and handlers of what it deploys, and imports none of it."""
