"""`python -m stylizer_cli`."""

from stylizer_cli.main import main

main()
