"""Signals become positions on an account: one process an account, which writes down what it will do before it does it."""
