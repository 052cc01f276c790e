"""Tests of channels, rules and digests."""
