"""The executor: at the in-process simulator with books in memory, and as processes on real servers."""
