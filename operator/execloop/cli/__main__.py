"""`python -m execloop.cli`."""

from execloop.cli import main

main()
