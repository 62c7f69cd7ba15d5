"""The service: ingest, journal, stores, scoring, tickets, API."""
