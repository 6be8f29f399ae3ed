"""What is measured on: one file for each kind of device."""
