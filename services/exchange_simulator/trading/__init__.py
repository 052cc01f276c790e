"""The venue's trading half: accounts, orders, matching and what an account is told. Pure: time comes with each call."""
