"""One module for each way that bytes come and go. A transport moves bytes; what they mean is decided elsewhere."""
