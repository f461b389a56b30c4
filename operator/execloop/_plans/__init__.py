"""How plans are named, found and made. Standard library only."""
