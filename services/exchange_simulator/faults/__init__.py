"""The simulated venue misbehaves on demand: what can go wrong, when it does, and a ledger of what it affected."""
