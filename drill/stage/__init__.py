"""The stores and processes that a drill runs on."""
