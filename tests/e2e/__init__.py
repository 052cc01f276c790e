"""The whole stack, from the venue's socket to PostgreSQL, compared with computations of its own."""
