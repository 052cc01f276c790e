"""The REST face of the installation; it reads topics and tables and writes neither."""
