"""`python -m igbo_align`: the command `igbo-align`."""

from .cli import main

if __name__ == "__main__":
    main()
