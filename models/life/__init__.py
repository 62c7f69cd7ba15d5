"""How long a component will last."""
