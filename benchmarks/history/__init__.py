"""The history of `edge-bench`: what was measured and judged, kept in one file, and handed to other programs."""
