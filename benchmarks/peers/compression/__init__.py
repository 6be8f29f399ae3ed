"""One trained network made small by other tools and by this one: how good each is at the same latency."""
