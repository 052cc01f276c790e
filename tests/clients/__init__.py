"""Third-party clients against the simulator; `make clients` installs and runs them (not part of `make test`)."""
