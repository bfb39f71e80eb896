"""`make soak`: whether the site holds out under load, and while its servers end, crash and come back.

    python -m tests.soak                          in backend: everything
    python -m tests.soak restarts --rounds 3      one part, and more of it; --help lists the options

Everything is started here, on free ports of this machine, and ended again: PostgreSQL from an installed package (or
SQLite, where there is none), gunicorn, rungrpc and Envoy, with the settings and files of production.

    load       500 streams and 200 unary calls a second for a minute, by all ways and in both modes. Fails for any
               error, any update that a stream misses, and calls that cannot be made as often as asked for.
    restarts   ends, kills and reloads every server while people buy and follow. Fails for an acknowledged order or
               step that is lost or there twice, wrong stock, a follower who misses an update or sees one twice, a
               server that does not come back, and a status by which a client cannot know that it may call again.
    slow       clients that do not read, and that write one byte after the other. Fails for memory beyond a bound,
               memory that adds up, and others who are not served meanwhile.

The exit code is 1 if anything failed. Figures are printed and written to `test-results/soak.json`. `test_soak.py` runs
a short version of it all with the other tests.
"""
