"""What people read of a Plan resource, and what they ask of it: the command and the page share it."""
