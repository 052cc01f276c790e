"""Tests of the notifier on a real Kafka and a real PostgreSQL, against a stand-in for Discord."""
