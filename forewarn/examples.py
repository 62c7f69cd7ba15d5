"""An example or more for every verb and step, as `--help` shows them."""

from typing import Final

#: commands as people type them, in the order of the help page
EXAMPLES: Final = """
forewarn demo
forewarn demo --seconds 90 --seed 11
forewarn serve --embedded-broker
forewarn serve deploy/cloud.toml
forewarn agent run edge.toml
forewarn agent check edge.toml
forewarn agent status edge.toml
forewarn simulate --machines 24 --failing 1 --days 30 --speed 0
forewarn train anomaly --data healthy.csv --out pump.onnx
forewarn train show pump.onnx
forewarn train activate pump.onnx
forewarn setup influx cloud.toml --first-use
forewarn device setup --host broker.example.com
forewarn device add acme.pump1
forewarn device remove acme.pump1
forewarn device list
forewarn user add ada --role planner
forewarn user add bo --role customer --customer acme
forewarn user invite ada
forewarn user disable ada
forewarn user list
forewarn token add ada --name 'weekly report' --scope read --days 30
forewarn token list ada
forewarn token revoke 0190aaaa-0000-7000-8000-0000000000c1
forewarn check cloud.toml edge.toml
forewarn doctor cloud.toml --backups /var/backups/forewarn
forewarn doctor edge.toml
forewarn backup cloud.toml /var/backups/forewarn --keep 7
forewarn backup cloud.toml /var/backups/forewarn/forewarn-20261124T231500Z --verify
forewarn restore cloud.toml /var/backups/forewarn/forewarn-20261124T231500Z
forewarn erase cloud.toml --machine acme.pump1
forewarn erase cloud.toml --customer acme --yes --proof proof.json
forewarn machines
forewarn machines acme.pump1
forewarn machines --state alarm --json
forewarn tickets
forewarn tickets --machine acme.pump1 --all
forewarn tickets show 17
forewarn tickets ack 17
forewarn tickets resolve 17 --verdict confirmed --as-found 'bearing worn' --replaced bearing
forewarn tickets close 17 --confirmed
forewarn tickets comment 17 'on my way'
forewarn tickets reopen 17 --note 'noisy again'
forewarn tickets cancel 17 --note 'machine is scrapped'
forewarn advisories
forewarn advisories --machine acme.pump1
forewarn advisories show 0190aaaa-0000-7000-8000-0000000000c1
forewarn advisories accept 0190aaaa-0000-7000-8000-0000000000c1
forewarn advisories defer 0190aaaa-0000-7000-8000-0000000000c1 --until 2026-12-03T08:00:00Z
forewarn advisories shelve 0190aaaa-0000-7000-8000-0000000000c1 --reason 'known, harmless'
forewarn advisories reject 0190aaaa-0000-7000-8000-0000000000c1 --reason 'sensor was loose'
forewarn backtest anomalies pump.csv --out scores --plot
forewarn life fit --runs runs.csv --model pump.life
forewarn life predict --model pump.life --runs now.csv --out left.csv
forewarn diagnose acme.pump1 selftest
forewarn diagnose acme.pump1 log -a level=WARNING -a lines=50
forewarn diagnose acme.pump1 capture -a seconds=5 -a signals=cpu,load1
forewarn series acme.pump1 temp --since 7d
forewarn series acme.pump1 temp --raw --csv
"""


def of(words: str) -> list[str]:
    """Return the examples of a verb, or of a step as `tickets ack`."""
    return [one for one in EXAMPLES.split("\n") if f"{one} ".startswith(f"forewarn {words} ")]
