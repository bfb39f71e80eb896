"""One Django app for each domain, with the same file names in each. Services do not import each other."""
