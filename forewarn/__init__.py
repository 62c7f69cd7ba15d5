"""The command `forewarn`: one module a verb, imported when it is called."""
