-- Each block brings a schema from the version before to its own. Blocks are never changed once released, only added.
-- Every table and function of the engine begins with tidings_; all others are its users'.

-- name: 1
-- schema (version of this layout), identity, measured (how far bytes were counted).
create table tidings_meta(name text primary key, value text not null);

-- keep: seconds, null for ever. swept: the sweeper is done with everything below.
create table tidings_topic(
  name text collate "C" primary key, partitions int not null, keep double precision, keep_bytes bigint,
  compact boolean not null, hold boolean not null, identity text not null, swept bigint not null default 0);

-- tp names a partition in all other tables. born: where the log stood when it was declared. first: what lay below went
-- by retention. bytes: of its records below meta.measured; what lies beyond is counted by looking.
create table tidings_part(
  tp int generated always as identity primary key, topic text collate "C" not null, number int not null,
  born bigint not null, first bigint not null default 0, bytes bigint not null default 0, unique(topic, number));

-- cache 1: a session that kept numbers back would hand out old ones late.
create sequence tidings_position cache 1;
create sequence tidings_stamp cache 1;
create sequence tidings_line cache 1;

-- In commit order and without any other index: readers scan and filter. Ranges of positions are tables of their own,
-- named by their number, so that retention drops a table instead of deleting its rows.
create table tidings_log(
  pos bigint not null, tp int not null, key bytea, time bigint not null, head bytea not null, data bytea,
  crc bigint not null, primary key(pos)) partition by range(pos);

-- The last position of each key in compacted topics, filled by the sweeper. grave: that record is a tombstone.
create table tidings_latest(
  tp int not null, key bytea not null, pos bigint not null, grave boolean not null, primary key(tp, key));
create index tidings_grave on tidings_latest(pos) where grave;

-- The version of every stream and row. 0: is not there; below 0: a row that was deleted, so that no version comes twice.
create table tidings_state(
  space text collate "C", key text collate "C", version bigint not null default 0,
  no bigint generated always as identity, stream boolean not null default false, primary key(space, key))
  with (fillfactor = 70);
create table tidings_stream_event(
  stream bigint, version bigint, id bytea not null, time bigint not null, head bytea not null, data bytea,
  crc bigint not null, primary key(stream, version));
create table tidings_snapshot(
  space text collate "C", key text collate "C", fingerprint text, version bigint not null, data bytea not null,
  time bigint not null, crc bigint not null, primary key(space, key, fingerprint));

create table tidings_table(name text primary key, columns jsonb not null);
create table tidings_script(name text primary key, sql text not null, made jsonb not null);

create table tidings_progress(
  grp text collate "C", tp int, next bigint not null, epoch bigint not null, owner text not null,
  held_gen bigint not null default 0, tries int not null default 0, paused text, marks jsonb not null default '{}',
  muted bigint not null default 0, primary key(grp, tp)) with (fillfactor = 50);
-- The epoch at which a removed group ended: a new group of its name goes on from it, so members of then stay fenced.
create table tidings_ended(grp text collate "C", tp int, epoch bigint not null, primary key(grp, tp));
create table tidings_ledger(
  id bigint primary key, grp text collate "C" not null, tp int not null, first bigint not null, next bigint not null,
  epoch bigint not null, member text not null, time bigint not null);
create index tidings_ledger_place on tidings_ledger(tp, first);
create table tidings_held(
  grp text collate "C", tp int, pos bigint, time bigint not null, key bytea, head bytea not null, data bytea,
  due bigint, attempt int not null, error text not null, crc bigint not null, primary key(grp, tp, pos));
create index tidings_held_key on tidings_held(grp, tp, key, pos);
create table tidings_timer(
  grp text collate "C", name text collate "C", tp int not null, due bigint not null, key bytea, head bytea not null,
  data bytea, attempt int not null, crc bigint not null, primary key(grp, name));
create index tidings_timer_due on tidings_timer(grp, tp, due);
create table tidings_once(
  scope text, name bytea, memo bytea not null, receipt text not null default '[]', time bigint not null,
  primary key(scope, name));
create index tidings_once_time on tidings_once using brin(time);
create table tidings_note(
  id bigint generated always as identity primary key, grp text collate "C" not null, tp int not null,
  pos bigint not null, outcome text not null, text text not null, time bigint not null, unique(grp, tp, pos));
create table tidings_tally(
  grp text collate "C", name text collate "C", count bigint not null, primary key(grp, name)) with (fillfactor = 50);
create table tidings_act(
  id bigint generated always as identity primary key, time bigint not null, who text not null, act text not null,
  grp text not null, detail text not null);
-- lock: the advisory lock that the member's process holds while it lives.
create table tidings_member(
  grp text collate "C", name text collate "C", beat bigint not null, lock bigint not null, primary key(grp, name));

create function tidings_hex(t text) returns bytea language sql immutable as $$ select decode(t, 'hex') $$;

-- Where a sequence stands, 0 if it has not begun.
create function tidings_head(lines boolean) returns bigint language plpgsql volatile as $$
begin
  if lines then
    return (select case when is_called then last_value else 0 end from tidings_line);
  end if;
  return (select case when is_called then last_value else 0 end from tidings_position);
end $$;

-- Make room in the log for every position up to this one. Attaching an empty table blocks nobody, making a partition
-- in its place would wait for all readers.
create function tidings_grow(upto bigint) returns void language plpgsql as $$
declare n bigint; span constant bigint := 1048576;
begin
  perform pg_advisory_xact_lock(hashtextextended('tidings grow ' || (select value from tidings_meta where name = 'identity'), 0));
  for n in select g from generate_series(greatest(0, tidings_head(false) / span), upto / span) g
      where not exists (select 1 from pg_class where relname = 'tidings_log_' || g
        and relnamespace = current_schema()::regnamespace) loop  -- to_regclass would answer from an older cache
    execute format('create table %I (like tidings_log including defaults including indexes)', 'tidings_log_' || n);
    execute format('alter table tidings_log attach partition %I for values from (%s) to (%s)',
      'tidings_log_' || n, n * span, (n + 1) * span);
  end loop;
end $$;

-- A whole table of the log goes.
create function tidings_drop(n bigint) returns void language plpgsql as $$
begin
  execute format('drop table %I', 'tidings_log_' || n);
end $$;

-- The settled horizon. Rule one: whoever draws a number drew its transaction's first, so when every transaction older
-- than `since` has ended, nothing appears at or below `upto` any more. Each step sees the server anew. It is for all
-- databases of the server. No transaction number is spent while nothing was written.
create function tidings_settle(lines boolean, known bigint, upto bigint, since bigint)
  returns table(settled bigint, pending bigint, number bigint) language plpgsql volatile as $$
declare head bigint;
begin
  if since > 0 and pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= since then
    known := greatest(known, upto);
    since := 0;
  end if;
  if since = 0 then
    head := tidings_head(lines);
    if head > known then
      since := pg_current_xact_id()::text::bigint;
      upto := head;
      if pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= since then
        known := head;
        since := 0;
      end if;
    end if;
  end if;
  perform set_config('tidings.settled', known::text, false);
  return query select known, upto, since;
end $$;

-- Wake the others. Nothing durable: whoever misses it looks by itself.
create function tidings_tell(channel text, word text) returns void language plpgsql as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  perform pg_notify(channel, word);
end $$;

-- What moved under a unit, or null; then, and only then, its once are inserted.
create function tidings_refusal(x jsonb, now bigint) returns jsonb language plpgsql as $$
declare
  y jsonb; p tidings_progress; g text := x->>'group'; again boolean;
  fenced jsonb := '[]'; regen jsonb := '[]'; states jsonb := '[]'; seen jsonb := '{}'; gone jsonb := '[]';
begin
  for y in select * from jsonb_array_elements(x->'steps') loop              -- tp, epoch, held_gen, at, to, bump, marks
    select * into p from tidings_progress where grp = g and tp = (y->>0)::int;
    if not found or p.epoch <> (y->>1)::bigint or p.next <> (y->>3)::bigint then fenced := fenced || (y->0);
    elsif p.held_gen <> (y->>2)::bigint then regen := regen || (y->0); end if;
  end loop;
  if fenced <> '[]' then return jsonb_build_object('fenced', fenced); end if;
  if x ? 'expect' or x ? 'places' then
    select coalesce(jsonb_agg(distinct jsonb_build_array(space, key)), '[]') into states from (
      select s.space, s.key from jsonb_array_elements(x->'expect') e
        join tidings_state s on s.space = e->>0 and s.key = e->>1 where greatest(s.version, 0) <> (e->>2)::bigint
      union all select s.space, s.key from jsonb_array_elements(x->'places') e
        join tidings_state s on s.space = e->>0 and s.key = e->>1
        where s.version + (e->>4)::bigint <> (e->>2)::bigint) moved;
    if states <> '[]' and x ? 'places' and not x ? 'steps' then             -- the same events at the same places?
      select bool_and(exists (select 1 from tidings_stream_event v join tidings_state s on s.no = v.stream
          where s.space = e->>0 and s.key = e->>1 and v.version = (e->>2)::bigint and v.id = tidings_hex(e->>3)))
        into again from jsonb_array_elements(x->'places') e;
      if again then return '{"again": true}'; end if;
    end if;
  end if;
  for y in select * from jsonb_array_elements(x->'once') loop               -- scope, id, memo, [index in the arrays]
    insert into tidings_once(scope, name, memo, time) values (y->>0, tidings_hex(y->>1), tidings_hex(y->>2), now)
      on conflict do nothing;
    if not found then
      seen := seen || (select jsonb_build_object(encode(name, 'hex'), encode(memo, 'hex')) from tidings_once
        where scope = y->>0 and name = tidings_hex(y->>1));
    end if;
  end loop;
  if x ? 'fired' then
    select coalesce(jsonb_agg(f->0), '[]') into gone from jsonb_array_elements(x->'fired') f where not exists
      (select 1 from tidings_timer where grp = g and name = f->>0 and due = (f->>1)::bigint
        and attempt = (f->>2)::int for update);
  end if;
  if states <> '[]' or regen <> '[]' or seen <> '{}' or gone <> '[]' then
    perform tidings_forget(x, seen);
    return jsonb_build_object('states', states, 'held', regen, 'seen', seen, 'gone', gone);
  end if;
  return null;
end $$;

-- Take back the marks that a refused unit has set, but not those that it found.
create function tidings_forget(x jsonb, seen jsonb) returns void language sql as $$
  delete from tidings_once using jsonb_array_elements(x->'once') o
    where scope = o->>0 and name = tidings_hex(o->>1) and not seen ? (o->>1)
$$;

-- What a unit does to its group. Nothing can refuse any more.
create function tidings_effects(x jsonb, now bigint) returns void language plpgsql as $$
declare g text := x->>'group'; y jsonb;
begin
  for y in select * from jsonb_array_elements(x->'steps') loop
    insert into tidings_ledger select nextval('tidings_line'), g, tp, next, (y->>4)::bigint, epoch, owner, now
      from tidings_progress where grp = g and tp = (y->>0)::int and next <> (y->>4)::bigint;
    update tidings_progress set tries = case when next = (y->>4)::bigint then tries else 0 end, next = (y->>4)::bigint,
      held_gen = held_gen + (y->>5)::int, marks = marks || (y->6) where grp = g and tp = (y->>0)::int;
  end loop;
  if x ? 'hold' then
    insert into tidings_held select g, (h->>0)::int, (h->>1)::bigint, (h->>2)::bigint, tidings_hex(h->>3),
        tidings_hex(h->>4), tidings_hex(h->>5), (h->>6)::bigint, (h->>7)::int, h->>8, (h->>9)::bigint
      from jsonb_array_elements(x->'hold') h on conflict (grp, tp, pos) do update set
      time = excluded.time, key = excluded.key, head = excluded.head, data = excluded.data, due = excluded.due,
      attempt = excluded.attempt, error = excluded.error, crc = excluded.crc;
  end if;
  if x ? 'finish' then
    delete from tidings_held using jsonb_array_elements(x->'finish') f
      where grp = g and tp = (f->>0)::int and pos = (f->>1)::bigint;
  end if;
  if x ? 'fired' or x ? 'cancel' then
    delete from tidings_timer where grp = g and name in (select f->>0 from jsonb_array_elements(x->'fired') f
      union all select f #>> '{}' from jsonb_array_elements(x->'cancel') f);
  end if;
  if x ? 'timers' then
    insert into tidings_timer select g, h->>0, (h->>1)::int, (h->>2)::bigint, tidings_hex(h->>3), tidings_hex(h->>4),
        tidings_hex(h->>5), (h->>6)::int, (h->>7)::bigint
      from jsonb_array_elements(x->'timers') h on conflict (grp, name) do update set tp = excluded.tp,
      due = excluded.due, key = excluded.key, head = excluded.head, data = excluded.data, attempt = excluded.attempt,
      crc = excluded.crc;
  end if;
  if x ? 'notes' then
    insert into tidings_note(grp, tp, pos, outcome, text, time)
      select g, (n->>0)::int, (n->>1)::bigint, n->>2, n->>3, now from jsonb_array_elements(x->'notes') n
      on conflict (grp, tp, pos) do nothing;
  end if;
  if x ? 'tally' then
    insert into tidings_tally select g, key, value::bigint from jsonb_each_text(x->'tally') order by 2
      on conflict (grp, name) do update set count = tidings_tally.count + excluded.count;
  end if;
end $$;

-- Rows, table by table: [table, column of the key, its type, [{column: value}], [key of all, deleted ones too], [deleted key]].
-- Their version, one for all.
create function tidings_rows(writes jsonb) returns bigint language plpgsql as $$
declare y jsonb; stamped bigint := nextval('tidings_stamp');
begin
  for y in select * from jsonb_array_elements(writes) loop
    execute format('delete from %I where %I in (select (k #>> ''{}'')::%s from jsonb_array_elements($1) k)', y->>0, y->>1, y->>2)
      using y->4;
    execute format('insert into %1$I select p.* from jsonb_array_elements($1) r, jsonb_populate_record(null::%1$I, r || $2) p', y->>0)
      using y->3, jsonb_build_object('_version', stamped);
    update tidings_state s set version = case when y->5 ? s.key then -stamped else stamped end
      from jsonb_array_elements_text(y->4) k where s.space = y->>0 and s.key = k;
  end loop;
  return stamped;
end $$;

-- One statement is the whole commit: no client can stop between lock and commit. Answers are values, nothing is raised
-- for a refused unit. Order inside: the transaction's number (rule one), locks in one order, conditions, effects, and
-- positions last of all (rule two: row locks before numbers, or an older version would follow a younger one).
-- Events come as arrays beside the units; `answers` has the number of each unit that is more than plainly committed.
create function tidings_commit(units jsonb, dry boolean, tell boolean, now bigint, steps jsonb, states jsonb, ev_unit int[],
    ev_tp int[], ev_key bytea[], ev_id bytea[], ev_head bytea[], ev_data bytea[], ev_crc bigint[], ev_space text[],
    ev_skey text[], ev_scrc bigint[], out answers jsonb, out positions bigint[]) language plpgsql as $$
declare
  x jsonb; y jsonb; n int := -1; refused jsonb; bad int[] := '{}'; stamped bigint;
begin
  perform pg_current_xact_id();
  answers := '{}';
  if steps is not null then
    perform 1 from tidings_progress where (grp, tp) in
      (select s->>0, (s->>1)::int from jsonb_array_elements(steps) s) order by grp, tp for update;
  end if;
  if states is not null then
    insert into tidings_state(space, key) select s->>0, s->>1 from jsonb_array_elements(states) s order by 1, 2
      on conflict do nothing;
    perform 1 from tidings_state where (space, key) in
      (select s->>0, s->>1 from jsonb_array_elements(states) s) order by space, key for update;
  end if;
  for x in select * from jsonb_array_elements(units) loop
    n := n + 1;
    continue when x = '{}';                                                 -- nothing but events of topics
    refused := tidings_refusal(x, now);
    if refused is not null or dry then
      if refused is null then
        perform tidings_forget(x, '{}');
      else
        answers := answers || jsonb_build_object(n::text, refused);
      end if;
      bad := bad || n;
      continue;
    end if;
    if x ? 'effects' then perform tidings_effects(x, now); end if;
    if x ? 'writes' then
      stamped := tidings_rows(x->'writes');
      answers := answers || jsonb_build_object(n::text, jsonb_build_object('version', stamped));
    end if;
    if x ? 'streams' then
      with e as (select o, id, head, data, sp, sk, crc, row_number() over (partition by sp, sk order by o) as r
          from unnest(ev_unit, ev_id, ev_head, ev_data, ev_space, ev_skey, ev_scrc) with ordinality
            as z(un, id, head, data, sp, sk, crc, o) where un = n and sp is not null),
        i as (insert into tidings_stream_event select s.no, s.version + r, e.id, now, e.head, e.data, e.crc
          from e join tidings_state s on s.space = e.sp and s.key = e.sk)
        update tidings_state s set version = s.version + c.k, stream = true
          from (select sp, sk, count(*) as k from e group by 1, 2) c where s.space = c.sp and s.key = c.sk;
    end if;
  end loop;
  if dry then return; end if;
  if tell then
    with drawn as (select o, case when tp is not null and not un = any(bad) then nextval('tidings_position') end as pos,
          tp, key, head, data, crc
        from (select * from unnest(ev_unit, ev_tp, ev_key, ev_head, ev_data, ev_crc) with ordinality
          as z(un, tp, key, head, data, crc, o) order by o) told),
      i as (insert into tidings_log select pos, tp, key, now, head, data, crc from drawn where pos is not null)
      select array_agg(pos order by o) into positions from drawn;
  else
    insert into tidings_log select nextval('tidings_position'), tp, key, now, head, data, crc
      from (select * from unnest(ev_unit, ev_tp, ev_key, ev_head, ev_data, ev_crc) with ordinality
        as z(un, tp, key, head, data, crc, o) where tp is not null and not un = any(bad) order by o) told;
    return;
  end if;
  n := -1;
  for x in select * from jsonb_array_elements(units) loop
    n := n + 1;
    continue when not x ? 'once' or n = any(bad);
    for y in select * from jsonb_array_elements(x->'once') loop
      continue when y->3 = '[]';
      update tidings_once set receipt = (select coalesce(jsonb_agg(jsonb_build_array(t, m, offs)), '[]')::text from (
          select p.topic as t, p.number as m, jsonb_agg(positions[1 + i::int]) as offs
            from jsonb_array_elements_text(y->3) i join tidings_part p on p.tp = ev_tp[1 + i::int]
            group by p.topic, p.number) told)
        where scope = y->>0 and name = tidings_hex(y->>1);
    end loop;
  end loop;
end $$;
