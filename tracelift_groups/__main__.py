"""``python -m tracelift_groups`` is ``tlg``."""

from tracelift_groups.cli import main

if __name__ == "__main__":
    main()
