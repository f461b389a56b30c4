"""Where plan code runs, what it is given, and what must not leave it."""
