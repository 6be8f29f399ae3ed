"""The same trained networks in other runtimes, in turns; the same network made small by other tools."""
