"""The risk guard's decisions as pure functions: from what is known of an account to its state, and what must be done now."""
