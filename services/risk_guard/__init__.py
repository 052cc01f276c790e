"""Watches an account from outside the executor, ends what goes wrong, and says whether anything may be opened."""
