"""``python -m bigfast.cli`` is the same as ``bigfast``."""

from bigfast.cli.main import main

if __name__ == "__main__":
    main()
