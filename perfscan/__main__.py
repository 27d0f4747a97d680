"""Run the command line with ``python -m perfscan``."""

from perfscan.cli.main import run

if __name__ == "__main__":
    run()
