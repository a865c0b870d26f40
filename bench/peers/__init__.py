"""The peers that rows are compared with, and the clients that load both sides."""
