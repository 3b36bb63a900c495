"""`python -m harvest` is `harvest`."""

from harvest.cli import main

main()
