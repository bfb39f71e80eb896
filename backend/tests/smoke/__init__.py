"""A look at a running site, wherever it runs: does it do what it is for? `make smoke URL=http://127.0.0.1:8000`

    __main__.py     the command line, and a line for each check
    site.py         where the site is, and how it is called: pages by HTTP, RPCs by gRPC-Web and native gRPC
    checks.py       what is checked of one path
    live.py         what is checked of all paths together: that a change made on one arrives on the others

It needs nothing but addresses, so it serves for `make demo`, for containers and for a deployment. What it does there is
undone: orders that it places are cancelled. `make dev` fails it, whose static files have no hashes.
"""
