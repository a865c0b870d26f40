"""The stage that rows are measured on: stores, servers, a town of users, and proofs of results."""
