"""Real servers for tests: one Kafka and one PostgreSQL for a whole pytest session, and ones of your own to kill."""
