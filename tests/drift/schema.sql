-- The tables and the commit, in a schema of their own. Times are microseconds of the engine's clock.

create table topic(name text primary key, partitions int not null, keep double precision, keep_bytes bigint, compact boolean not null, hold boolean not null);
create table part(tp int generated always as identity primary key, topic text not null, number int not null, unique(topic, number));
create sequence position cache 1;
create sequence stamp cache 1;
create table log(pos bigint primary key, tp int not null, key bytea, time bigint not null, head bytea not null, data bytea);

-- The version of every stream and row. 0: is not there; below 0: a row that was deleted, so that no version comes twice.
create table state(space text collate "C", key text collate "C", version bigint not null default 0,
  no bigint generated always as identity, primary key(space, key));
create table stream_event(stream bigint, version bigint, id bytea not null, time bigint not null, head bytea not null, data bytea,
  primary key(stream, version));
create table snapshot(space text, key text, fingerprint text, version bigint not null, data bytea not null, time bigint not null,
  primary key(space, key, fingerprint));
create table declared(name text primary key, columns jsonb not null);
create table script(name text primary key, sql text not null, made jsonb not null);

create table progress(grp text collate "C", tp int, next bigint not null, epoch bigint not null, owner text not null,
  held_gen bigint not null default 0, tries int not null default 0, paused text, marks jsonb not null default '{}',
  muted bigint not null default 0, primary key(grp, tp)) with (fillfactor = 50);
create table ended(grp text collate "C", tp int, epoch bigint not null, primary key(grp, tp));
create table held(grp text collate "C", tp int, off bigint, time bigint not null, key bytea, head bytea not null, data bytea,
  due bigint, attempt int not null, error text not null, primary key(grp, tp, off));
create table timer(grp text collate "C", name text collate "C", tp int not null, due bigint not null, key bytea, head bytea not null,
  data bytea, attempt int not null, primary key(grp, name));
create table once(scope text, id bytea, memo bytea not null, receipt jsonb not null default '[]', time bigint not null, primary key(scope, id));
create table member(grp text collate "C", name text collate "C", beat bigint not null, primary key(grp, name));

create table note(id bigint generated always as identity primary key, grp text collate "C", tp int, off bigint, outcome text not null,
  text text not null, time bigint not null, unique(grp, tp, off));
create table tally(grp text collate "C", name text collate "C", n bigint not null, primary key(grp, name));
create table ledger(id bigint generated always as identity primary key, grp text collate "C", tp int not null, first bigint not null,
  next bigint not null, epoch bigint not null, member text not null, time bigint not null);
create table act(id bigint generated always as identity primary key, time bigint not null, who text not null, act text not null,
  grp text not null, detail text not null);

create function hex(t text) returns bytea language sql immutable as $$ select decode(t, 'hex') $$;

-- What moved under a unit, or null; then, and only then, its once are inserted.
create function refusal(x jsonb, now bigint) returns jsonb language plpgsql as $$
declare
  y jsonb; p progress; g text := x->>'group'; again boolean;
  fenced jsonb := '[]'; regen jsonb := '[]'; states jsonb; seen jsonb := '{}'; gone jsonb;
begin
  for y in select * from jsonb_array_elements(x->'steps') loop              -- tp, epoch, held_gen, at, to, bump, marks
    select * into p from progress where grp = g and tp = (y->>0)::int;
    if not found or p.epoch <> (y->>1)::bigint or p.next <> (y->>3)::bigint then fenced := fenced || (y->0);
    elsif p.held_gen <> (y->>2)::bigint then regen := regen || (y->0); end if;
  end loop;
  if fenced <> '[]' then return jsonb_build_object('fenced', fenced); end if;
  select coalesce(jsonb_agg(distinct jsonb_build_array(space, key)), '[]') into states from (
    select s.space, s.key from jsonb_array_elements(x->'expect') e join state s on s.space = e->>0 and s.key = e->>1
      where greatest(s.version, 0) <> (e->>2)::bigint
    union all select s.space, s.key from jsonb_array_elements(x->'places') e join state s on s.space = e->>0 and s.key = e->>1
      where s.version + (e->>4)::bigint <> (e->>2)::bigint) moved;
  if states <> '[]' and x->'places' <> '[]' and x->'steps' = '[]' then      -- the same events at the same places?
    select bool_and(exists (select 1 from stream_event v join state s on s.no = v.stream
        where s.space = e->>0 and s.key = e->>1 and v.version = (e->>2)::bigint and v.id = hex(e->>3)))
      into again from jsonb_array_elements(x->'places') e;
    if again then return '{"again": true}'; end if;
  end if;
  for y in select * from jsonb_array_elements(x->'once') loop
    insert into once(scope, id, memo, time) values (y->>0, hex(y->>1), hex(y->>2), now) on conflict do nothing;
    if not found then
      seen := seen || (select jsonb_build_object(encode(id, 'hex'), encode(memo, 'hex')) from once
        where scope = y->>0 and id = hex(y->>1));
    end if;
  end loop;
  select coalesce(jsonb_agg(f->0), '[]') into gone from jsonb_array_elements(x->'fired') f where not exists
    (select 1 from timer where grp = g and name = f->>0 and due = (f->>1)::bigint and attempt = (f->>2)::int for update);
  if states <> '[]' or regen <> '[]' or seen <> '{}' or gone <> '[]' then
    delete from once using jsonb_array_elements(x->'once') o where scope = o->>0 and id = hex(o->>1) and not seen ? (o->>1);
    return jsonb_build_object('states', states, 'held', regen, 'seen', seen, 'gone', gone);
  end if;
  return null;
end $$;

-- What a unit does to its group. Nothing can refuse any more.
create function effects(x jsonb, now bigint) returns void language plpgsql as $$
declare g text := x->>'group'; y jsonb;
begin
  for y in select * from jsonb_array_elements(x->'steps') loop
    insert into ledger(grp, tp, first, next, epoch, member, time)
      select g, tp, next, (y->>4)::bigint, epoch, owner, now from progress
      where grp = g and tp = (y->>0)::int and next <> (y->>4)::bigint;
    update progress set tries = case when next = (y->>4)::bigint then tries else 0 end, next = (y->>4)::bigint,
      held_gen = held_gen + (y->>5)::int, marks = marks || (y->6) where grp = g and tp = (y->>0)::int;
  end loop;
  insert into held select g, (h->>0)::int, (h->>1)::bigint, (h->>2)::bigint, hex(h->>3), hex(h->>4), hex(h->>5), (h->>6)::bigint,
    (h->>7)::int, h->>8 from jsonb_array_elements(x->'hold') h on conflict (grp, tp, off) do update set
    time = excluded.time, key = excluded.key, head = excluded.head, data = excluded.data, due = excluded.due,
    attempt = excluded.attempt, error = excluded.error;
  delete from held using jsonb_array_elements(x->'finish') f where grp = g and tp = (f->>0)::int and off = (f->>1)::bigint;
  delete from timer where grp = g and name in (select f->>0 from jsonb_array_elements(x->'fired') f
    union all select f #>> '{}' from jsonb_array_elements(x->'cancel') f);
  insert into timer select g, h->>0, (h->>1)::int, (h->>2)::bigint, hex(h->>3), hex(h->>4), hex(h->>5), (h->>6)::int
    from jsonb_array_elements(x->'timers') h on conflict (grp, name) do update set tp = excluded.tp, due = excluded.due,
    key = excluded.key, head = excluded.head, data = excluded.data, attempt = excluded.attempt;
  insert into note(grp, tp, off, outcome, text, time) select g, (n->>0)::int, (n->>1)::bigint, n->>2, n->>3, now
    from jsonb_array_elements(x->'notes') n on conflict (grp, tp, off) do nothing;
  insert into tally select g, key, value::bigint from jsonb_each_text(x->'tally') order by 2
    on conflict (grp, name) do update set n = tally.n + excluded.n;
end $$;

-- Rows: [[table, key, column of the key, {column: value} | null]]. Their version, one for all.
create function rows_written(writes jsonb) returns bigint language plpgsql as $$
declare y jsonb; stamped bigint := nextval('stamp');
begin
  for y in select * from jsonb_array_elements(writes) loop
    execute format('delete from %I where %I = $1', y->>0, y->>2) using y->>1;
    if y->3 <> 'null' then
      execute format('insert into %I select * from jsonb_populate_record(null::%I, $1)', y->>0, y->>0)
        using (y->3) || jsonb_build_object('_version', stamped);
    end if;
    update state set version = case when y->3 = 'null' then -stamped else stamped end where space = y->>0 and key = y->>1;
  end loop;
  return stamped;
end $$;

-- One statement is the whole commit: no client can stop between lock and commit. Answers are values, nothing is raised for a
-- refused unit. Order inside: the transaction's number, locks in one order, conditions, effects, and positions last of all.
-- Events come as arrays beside the units: (unit, partition or null, key, id, head, data, stream's space and key or null).
create function commit_units(units jsonb, dry boolean, now bigint, ev_unit int[], ev_tp int[], ev_key bytea[], ev_id bytea[],
    ev_head bytea[], ev_data bytea[], ev_space text[], ev_skey text[]) returns jsonb language plpgsql as $$
declare
  x jsonb; y jsonb; n int := -1; refused jsonb; answers jsonb := '[]'; ok int[] := '{}'; stamped bigint; positions bigint[];
begin
  perform pg_current_xact_id();
  perform 1 from progress where (grp, tp) in
    (select a->>'group', (s->>0)::int from jsonb_array_elements(units) a, jsonb_array_elements(a->'steps') s)
    order by grp, tp for update;
  insert into state(space, key)
    select distinct s->>0, s->>1 from jsonb_array_elements(units) a, jsonb_array_elements(a->'states') s order by 1, 2
    on conflict do nothing;
  perform 1 from state where (space, key) in
    (select s->>0, s->>1 from jsonb_array_elements(units) a, jsonb_array_elements(a->'states') s)
    order by space, key for update;
  for x in select * from jsonb_array_elements(units) loop
    n := n + 1;
    refused := refusal(x, now);
    if refused is not null or dry then
      if refused is null then
        delete from once using jsonb_array_elements(x->'once') o where scope = o->>0 and id = hex(o->>1);
      end if;
      answers := answers || jsonb_build_array(coalesce(refused, '{}'));
      continue;
    end if;
    ok := ok || n;
    perform effects(x, now);
    stamped := case when x->'writes' = '[]' then 0 else rows_written(x->'writes') end;
    with e as (select o, id, head, data, sp, sk, row_number() over (partition by sp, sk order by o) as r
        from unnest(ev_unit, ev_id, ev_head, ev_data, ev_space, ev_skey) with ordinality as z(un, id, head, data, sp, sk, o)
        where un = n and sp is not null),
      i as (insert into stream_event select s.no, s.version + r, e.id, now, e.head, e.data
        from e join state s on s.space = e.sp and s.key = e.sk)
      update state s set version = s.version + c.k from (select sp, sk, count(*) as k from e group by 1, 2) c
        where s.space = c.sp and s.key = c.sk;
    answers := answers || jsonb_build_array(jsonb_build_object('version', stamped));
  end loop;
  with drawn as (select o, case when un = any(ok) and tp is not null then nextval('position') end as pos, tp, key, head, data
      from (select * from unnest(ev_unit, ev_tp, ev_key, ev_head, ev_data) with ordinality as z(un, tp, key, head, data, o)
        order by o) told),
    i as (insert into log select pos, tp, key, now, head, data from drawn where pos is not null)
    select array_agg(pos order by o) into positions from drawn;
  n := -1;
  for x in select * from jsonb_array_elements(units) loop                   -- [scope, id, memo, [index in the arrays]]
    n := n + 1;
    continue when not n = any(ok);
    for y in select * from jsonb_array_elements(x->'once') loop
      update once set receipt = (select coalesce(jsonb_agg(jsonb_build_array(p.topic, p.number, positions[1 + t::int])), '[]')
          from jsonb_array_elements_text(y->3) t join part p on p.tp = ev_tp[1 + t::int])
        where scope = y->>0 and id = hex(y->>1) and y->3 <> '[]';
    end loop;
  end loop;
  return jsonb_build_object('answers', answers, 'positions', to_jsonb(positions));
end $$;
