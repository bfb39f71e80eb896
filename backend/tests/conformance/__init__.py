"""The public conformance suite of the Connect project, run against the bridge. Also a Django app; see README.md."""
