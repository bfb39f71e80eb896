import sys, tempfile
from pathlib import Path
from bench import machine, tables
from bench.servers import Launcher
machine.allow_open_files(); machine.bind_client()
with tempfile.TemporaryDirectory() as d, Launcher(Path(d)) as l:
    turns=int(sys.argv[1]); 
    if len(sys.argv)>3: tables.UNARY={k:v for k,v in tables.UNARY.items() if k in sys.argv[3].split(',')}
    rows=tables.unary(l,turns,float(sys.argv[2]))
    for r in rows:
        k=r.name.split('/')[0]; f=next((x for x in rows if x.name==k+'/floor'),None)
        print(f"{r.name:28} {r.microseconds:8.1f} {r.per_second:9.0f} x floor {measure.ratio(r,f) if f else 0:.2f} neigh {max(c.neighbours for c in r.cells):.2f} envoy {r.envoy_microseconds:.0f}" if 0 else (r.name, round(r.microseconds,1), round(r.per_second), f and round(tables.measure.ratio(r,f),2), [round(c.neighbours,2) for c in r.cells], round(r.envoy_microseconds)))
