"""Executor and guard as real processes on real servers: killed, held, cut off, and judged by the exchange."""
