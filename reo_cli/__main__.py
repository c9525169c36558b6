"""`python -m reo_cli`, the same as the command `reo`."""

from reo_cli.cli import main

if __name__ == "__main__":
    main()
