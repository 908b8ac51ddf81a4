import sys
from naivenas.cli import main

if __name__ == "__main__": sys.exit(main())
