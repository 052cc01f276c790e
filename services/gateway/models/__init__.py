"""What the API says, as pydantic models, one module a group of routes."""
