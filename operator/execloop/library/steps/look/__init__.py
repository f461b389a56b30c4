"""What a step looks at: its items, the objects and answers that its expressions read, and its check."""
