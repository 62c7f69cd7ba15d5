"""Pages that work without scripts: sign in and out, choose a password, acknowledge, errors."""
