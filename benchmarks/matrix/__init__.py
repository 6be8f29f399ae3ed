"""`edge-bench matrix`: models x devices x threads x runtimes, in one night."""
