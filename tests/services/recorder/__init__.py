"""Tests of the recorder on a real Kafka and a real PostgreSQL."""
