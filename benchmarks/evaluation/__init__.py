"""How well forewarn detects and forecasts: measured on recordings that stay outside the project."""
