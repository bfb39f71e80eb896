"""What the bridge costs beside other ways to serve the same calls; `make bench` runs it, README.md tells the rest."""
