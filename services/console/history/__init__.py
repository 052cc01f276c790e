"""History in and out of the database: archive files, Parquet, and stored data published again."""
