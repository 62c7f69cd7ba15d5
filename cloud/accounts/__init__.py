"""People and programs that may use the service: accounts, sign-ins, tokens, one-time links."""
