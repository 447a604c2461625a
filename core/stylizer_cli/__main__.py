"""`python -m stylizer_cli` is the command line too."""

from stylizer_cli.main import main

main()
