"""Work on machines: what states a ticket has, and how it is made from an advisory. Pure."""
