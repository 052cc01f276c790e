"""The container image of every service, and the one-shot job of the compose stack that makes its database password."""
