"""Conversion: routes and quantizers, side by side on the same networks."""
