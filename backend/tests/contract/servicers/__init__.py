"""The handlers of the contract, by subject. Each module has a class `Sync` and a class `Async` that do the same."""
