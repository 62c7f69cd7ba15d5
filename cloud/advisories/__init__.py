"""From assessments to advisories: pure rules. The ledger calls them and keeps what they decide."""
