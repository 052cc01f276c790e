"""All SQL of the product: tables, sessions, offsets, bulk writers, partitions, migrations and named questions."""
