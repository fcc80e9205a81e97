import importlib.util,sys,time,json
from pathlib import Path
from sqlalchemy import select
spec=importlib.util.spec_from_file_location("tf",Path(__file__).with_name("test_facts.py")); tf=importlib.util.module_from_spec(spec); sys.modules["tf"]=tf; spec.loader.exec_module(tf)
from pipelines.demo.world import generate
from pipelines.demo.write import write
from pipelines.demo.folder import AS_OF
from connectors.warehouse.tables import *
def test_dup(sqlite_engine,open_desk,tmp_path):
    w=tmp_path/"w"; write(generate(7,AS_OF,1.0),w)
    with open_desk(sqlite_engine,world=w) as desk:
        t=time.time(); desk.ingest(); print("ingest",time.time()-t)
        f=desk.facts
        th=tf.thread_keys(desk,"info",f["mail"])
        print("threads",len(th),sum(len(k)==1 for k in th.values()),len({x for k in th.values() for x in k}))
        own={s:tf.own(desk,s) for s in ("zendesk","freshdesk")}
        planted={frozenset((own[p["source"]][str(p["ticket"])]["ticket_key"],*th[p["mail_thread"]])) for p in f["duplicates"]}
        found={frozenset((r["ticket_key"],r["other_key"])) for r in desk.rows(select(ticket_link).where(ticket_link.c.kind=="duplicate_of"))}
        print("dups planted",len(planted),"found",len(found),"both",len(planted&found))
        for x in found-planted:
            print([(r["source_key"],r["number"][:12],r["subject"][:50],str(r["created_at"])) for r in desk.rows(select(ticket).where(ticket.c.ticket_key.in_(x)))])
        for x in planted-found:
            print('MISS',[(r["source_key"],r["number"][:12],r["subject"][:50],str(r["created_at"]),r["status"],r["requester_key"]) for r in desk.rows(select(ticket).where(ticket.c.ticket_key.in_(x)))])
        t=time.time(); desk.run_job(); print("job",time.time()-t); s=desk.checksums(); t=time.time(); desk.run_job(); print("again",time.time()-t, s==desk.checksums())
