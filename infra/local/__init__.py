"""The embedded stack: a real Kafka and a real PostgreSQL as child processes of one supervisor, all of it on 127.0.0.1."""
