"""The history of the schema, newest last; run by `libs.store.migrate`, never by import."""
