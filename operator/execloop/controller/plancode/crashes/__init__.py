"""Which plan code may have ended the process: a journal, and what follows from it."""
