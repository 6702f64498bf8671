"""``python -m fpmatch.cli``."""

from fpmatch.cli import main

if __name__ == "__main__":
    main()
