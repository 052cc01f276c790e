"""What an account's orders should be, as pure functions: the executor carries it out; guard and reconciliation ask the same."""
