"""Where plan code runs, what it is given, and what it must not tell."""
