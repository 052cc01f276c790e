"""One file a revision, named v<number>_<what>."""
