"""`python -m stylizer` is the command line too."""

from stylizer.cli import main

main()
