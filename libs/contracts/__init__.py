"""What services say to each other: the table of topics, event types, codec and the pure rules that every reader shares."""
