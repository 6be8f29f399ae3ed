"""How long single operators take on a device, and networks predicted from them."""
