"""The chat bot: people see how things stand, and may make the account smaller or stiller; nothing here can raise a risk."""
