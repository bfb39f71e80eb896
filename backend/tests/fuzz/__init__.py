"""Fuzzing of the bridge: requests right and wrong, through the protocol core and both transports, in memory.

    case.py         one request: head, body in chunks, what goes wrong on the way; as JSON in corpus/
    mutate.py       makes requests from those of the corpus, and anew
    servicers.py    handlers that do what a message says, and remember every message that they were given
    reference.py    what a request says, read by other code than the bridge's
    transports.py   runs a request through the ASGI and through the WSGI application
    rules.py        what must hold of an answer, whatever the request was
    core.py         the same for the protocol core alone
    run.py          the loop: limits of time and memory for each case, and growth over all

`make fuzz` searches for new cases for some seconds; `make test` replays the corpus and does a short search with a
fixed seed. A case that fails is written to backend/test-results/fuzz/: mend the bridge, and move the file to corpus/
under the name of the bug.
"""
