"""`python -m caif` is `caif`."""

from caif.cli import main

if __name__ == "__main__":
    main()
