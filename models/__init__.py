"""What is known about machines. Pure: no I/O, no clock, no asyncio; time comes with the data."""
