"""Tests of the gateway over real HTTP."""
