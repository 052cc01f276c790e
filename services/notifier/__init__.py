"""Tells people what they want to know: rules over events, an outbox, and channels; and a chat from which risk is only reduced."""
