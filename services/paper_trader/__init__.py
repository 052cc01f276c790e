"""Every strategy trades on paper at the same time, each with an account of its own, on the timeline."""
