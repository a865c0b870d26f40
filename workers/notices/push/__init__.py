"""Push messages: encrypted, signed, and sent to push services."""
