"""Keeps the facts of the timeline and the engine's output in PostgreSQL."""
