"""`make soak`: whether the site holds out under load, and while its servers end, crash and come back.

    python -m tests.soak                          in backend: everything
    python -m tests.soak restarts --rounds 3      one part, and more of it; --help lists the options

Everything is started here, on free ports of this machine, and ended again: PostgreSQL from an installed package (or
SQLite, where there is none), gunicorn, rungrpc and Envoy, with the settings and files of production.

    part       what it does                                           it fails for
    ----       ------------                                           ------------
    load       500 streams and 200 unary calls a second for a         any error, any update that a stream misses, and
               minute, by all ways and in both modes                  calls that come later than asked for
    restarts   ends, kills and reloads every server while people      an acknowledged order or step that is lost or there
               buy and follow                                         twice, wrong stock, a follower who misses an update
                                                                      or sees one twice, a server that does not come back
    slow       clients that do not read, and that write one byte      memory beyond a bound, memory that is kept, others
               after the other                                        who are not served meanwhile

The exit code is 1 if anything failed. Figures are printed and written to `test-results/soak.json`. `test_soak.py` runs
a short version of it all with the other tests.
"""
