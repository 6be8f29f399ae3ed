"""How one thing is measured on one device: a fresh start, two models in turns, half an hour of heat, a joule."""
