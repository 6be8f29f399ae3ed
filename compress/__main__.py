"""`python -m compress` is `edge-compress`. What takes long is imported where a Ctrl-C meanwhile is caught."""

import sys

try:
    from edge.command import started
except KeyboardInterrupt:
    sys.stderr.write("\nedge-compress: interrupted; give the same command again\n")
    sys.exit(130)


def main() -> int:
    """Run the command line as a process of its own; return the exit status."""
    return started("edge-compress", "compress.cli")


if __name__ == "__main__":
    sys.exit(main())
