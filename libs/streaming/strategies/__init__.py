"""What strategies are in force: files, the log that says so, the engines' answers, and what a file would change."""
