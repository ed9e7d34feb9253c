-- name: topic_declare
insert into topic values (%(name)s, %(partitions)s, %(keep)s, %(keep_bytes)s, %(compact)s, %(hold)s)
  on conflict (name) do update set keep = excluded.keep, keep_bytes = excluded.keep_bytes, hold = excluded.hold

-- name: parts_declare
insert into part(topic, number) select %(name)s, generate_series(0, %(partitions)s - 1) on conflict do nothing

-- name: topics
select name, partitions, keep, keep_bytes, compact, hold from topic order by name

-- name: parts
select tp, topic, number from part

-- name: head
select coalesce(max(pos), 0) from log

-- name: xid
select pg_current_xact_id()::text::bigint

-- name: oldest
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: scan
select pos, tp, key, time, head, data from log where pos between %(first)s and %(last)s and tp = any(%(tps)s) order by pos limit %(limit)s

-- name: sizes
select tp, coalesce(sum(length(head) + coalesce(length(key), 0) + coalesce(length(data), 0)), 0)::bigint from log group by tp

-- name: first_at
select tp, min(pos) from log where time >= %(time)s group by tp

-- name: lag
select x.tp, count(l.pos) from unnest(%(tps)s::int[], %(ats)s::bigint[]) as x(tp, at)
  left join log l on l.tp = x.tp and l.pos >= x.at group by x.tp

-- name: beat
insert into member values (%(group)s, %(member)s, %(now)s) on conflict (grp, name) do update set beat = excluded.beat

-- name: leave
delete from member where (grp, name) in (select * from unnest(%(groups)s::text[], %(members)s::text[]))

-- name: members
select grp, name, beat from member where %(group)s::text is null or grp = %(group)s order by grp, name

-- name: claim
insert into progress(grp, tp, next, epoch, owner, tries)
  select %(group)s, x.tp, x.at, coalesce(e.epoch, 0) + 1, %(member)s, 1 from unnest(%(tps)s::int[], %(ats)s::bigint[]) as x(tp, at)
    left join ended e on e.grp = %(group)s and e.tp = x.tp order by x.tp
  on conflict (grp, tp) do update set epoch = progress.epoch + 1, owner = excluded.owner, tries = progress.tries + 1

-- name: claims
select x.o, p.epoch, p.next, p.held_gen, p.tries, p.paused, p.marks, p.muted
  from unnest(%(groups)s::text[], %(tps)s::int[]) with ordinality as x(grp, tp, o) join progress p on p.grp = x.grp and p.tp = x.tp

-- name: release
update progress p set owner = '', tries = 0 from unnest(%(groups)s::text[], %(tps)s::int[], %(epochs)s::bigint[]) as x(grp, tp, epoch)
  where p.grp = x.grp and p.tp = x.tp and p.epoch = x.epoch

-- name: held
select h.tp, h.off, h.time, h.key, h.head, h.data, h.due, h.attempt, h.error
  from unnest(%(groups)s::text[], %(tps)s::int[]) with ordinality as x(grp, tp, o) join held h on h.grp = x.grp and h.tp = x.tp
  where %(due)s::bigint is null or (h.due <= %(due)s and (h.key is null or not exists
    (select 1 from held e where e.grp = h.grp and e.tp = h.tp and e.key = h.key and e.off < h.off)))
  order by x.o, h.off limit %(limit)s

-- name: timers
select t.tp, t.name, t.due, t.key, t.head, t.data, t.attempt
  from unnest(%(groups)s::text[], %(tps)s::int[]) as x(grp, tp) join timer t on t.grp = x.grp and t.tp = x.tp
  order by t.due, t.name limit %(limit)s

-- name: load
select x.o, s.version, n.version, n.data, e.version, e.id, e.time, e.head, e.data
  from unnest(%(spaces)s::text[], %(keys)s::text[]) with ordinality as x(space, key, o)
  join state s on s.space = x.space and s.key = x.key
  left join snapshot n on n.space = x.space and n.key = x.key and n.fingerprint = %(fingerprint)s
    and n.version <= least(s.version, %(to)s)
  left join stream_event e on e.stream = s.no and e.version > coalesce(n.version, 0) and e.version <= %(to)s
  order by x.o, e.version

-- name: keep
insert into snapshot values (%(space)s, %(key)s, %(fingerprint)s, %(version)s, %(data)s, %(now)s)
  on conflict (space, key, fingerprint) do update set version = excluded.version, data = excluded.data, time = excluded.time
  where snapshot.version < excluded.version

-- name: streams
select key, version from state s where space = %(space)s and key > %(after)s and version > 0
  and exists (select 1 from stream_event e where e.stream = s.no) order by key limit %(limit)s

-- name: spaces
select distinct space from state s where exists (select 1 from stream_event e where e.stream = s.no) order by space

-- name: declared
select name, columns from declared

-- name: declare
insert into declared values (%(name)s, %(columns)s)

-- name: script
select sql, made from script where name = %(name)s

-- name: script_ran
insert into script values (%(name)s, %(sql)s, %(made)s)

-- name: tables_there
select tablename from pg_tables where schemaname = current_schema()

-- name: reached
select 1 from unnest(%(tps)s::int[], %(offs)s::bigint[]) as x(tp, off) join progress p on p.grp = %(group)s and p.tp = x.tp
  where p.next <= x.off or exists (select 1 from held h where h.grp = p.grp and h.tp = x.tp and h.off = x.off) limit 1

-- name: memo
select memo, receipt::text, time from once where scope = %(scope)s and id = %(id)s

-- name: tallies
select name, n from tally where grp = %(group)s

-- name: notes
select tp, off, outcome, text, grp, time from note where %(group)s::text is null or grp = %(group)s order by id desc limit %(limit)s

-- name: handled
select grp, first, next, epoch, member, time from ledger where tp = %(tp)s and first <= %(offset)s and next > %(offset)s order by grp, id

-- name: ledger
select id, tp, first, next, epoch, member, time from ledger where grp = %(group)s and id > %(after)s order by id limit %(limit)s

-- name: acts
select time, who, act, grp, detail from act order by id desc limit %(limit)s

-- name: act
insert into act(time, who, act, grp, detail) values (%(now)s, %(who)s, %(act)s, %(group)s, %(detail)s)

-- name: progress
select p.grp, p.tp, p.next, p.epoch, p.owner, p.held_gen, count(h.off), count(h.off) - count(h.due), min(h.time), p.paused
  from progress p left join held h on h.grp = p.grp and h.tp = p.tp where %(group)s::text is null or p.grp = %(group)s
  group by p.grp, p.tp

-- name: move
insert into progress(grp, tp, next, epoch, owner, held_gen)
  select %(group)s, %(tp)s, %(at)s, coalesce((select epoch from ended where grp = %(group)s and tp = %(tp)s), 0) + 1, '', 1
  on conflict (grp, tp) do update set next = excluded.next, epoch = progress.epoch + 1, held_gen = progress.held_gen + 1,
    marks = '{}', tries = 0, muted = case when %(muted)s then greatest(progress.next, progress.muted) else 0 end,
    paused = case when progress.paused like 'truncated: %%' then null else progress.paused end

-- name: move_held
delete from held where grp = %(group)s and tp = %(tp)s

-- name: move_timers
delete from timer where grp = %(group)s and tp = %(tp)s

-- name: forget_rows
update state set version = -version where space = %(space)s and version > 0

-- name: pause
update progress set paused = %(reason)s, held_gen = held_gen + 1 where grp = %(group)s and tp = any(%(tps)s) returning tp

-- name: parked
select off from held where grp = %(group)s and tp = %(tp)s and key is not distinct from %(key)s and due is null order by off for update

-- name: redrive
update held set due = %(now)s where grp = %(group)s and tp = %(tp)s and off = any(%(offsets)s)

-- name: drop
delete from held where grp = %(group)s and tp = %(tp)s and off = any(%(offsets)s)

-- name: touched
update progress set held_gen = held_gen + 1 where grp = %(group)s and tp = %(tp)s

-- name: end
insert into ended select grp, tp, epoch from progress where grp = %(group)s on conflict (grp, tp) do update set epoch = excluded.epoch

-- name: end_progress
delete from progress where grp = %(group)s

-- name: end_held
delete from held where grp = %(group)s

-- name: end_timers
delete from timer where grp = %(group)s

-- name: end_tallies
delete from tally where grp = %(group)s

-- name: purge_once
delete from once where ctid in (select ctid from once where time < %(before)s limit %(limit)s)

-- name: purge_notes
delete from note where ctid in (select ctid from note where time < %(before)s limit %(limit)s)

-- name: purge_handled
delete from ledger where ctid in (select ctid from ledger where time < %(before)s limit %(limit)s)

-- name: purge_snapshots
delete from snapshot where ctid in (select ctid from snapshot where time < %(before)s limit %(limit)s)
