"""`python -m naivenas`: the command"""
import sys
from naivenas.apps.cli import main

if __name__ == "__main__": sys.exit(main())
