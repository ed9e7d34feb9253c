-- One statement a block, with named parameters; the driver prepares them.

-- ---- the schema and the server ----

-- name: migrating
select pg_advisory_xact_lock(hashtextextended('tidings migrate', 0))

-- name: schema
select current_schema(), trim(both '" ' from split_part(current_setting('search_path'), ',', 1))

-- name: has_meta
select exists (select 1 from pg_class where relname = 'tidings_meta' and relnamespace = current_schema()::regnamespace)

-- name: meta
select value from tidings_meta where name = %(name)s

-- name: meta_set
insert into tidings_meta values (%(name)s, %(value)s) on conflict (name) do update set value = excluded.value

-- name: grow
select tidings_grow(tidings_head(false) + 1048576)

-- name: clock
select (extract(epoch from clock_timestamp()) * 1000000)::bigint

-- name: asynchronous
select current_setting('synchronous_commit') = 'off'

-- name: limits
select set_config('idle_in_transaction_session_timeout', %(limit)s, true), set_config('statement_timeout', %(limit)s, true)

-- name: tell
select tidings_tell(%(channel)s, %(word)s)

-- name: commit
select answers, positions from tidings_commit(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- ---- declarations ----

-- name: topics
select name, partitions, keep, keep_bytes, compact, hold, identity from tidings_topic order by name

-- name: topic_put
insert into tidings_topic values (%(name)s, %(partitions)s, %(keep)s, %(keep_bytes)s, %(compact)s, %(hold)s, %(identity)s)
  on conflict (name) do update set keep = excluded.keep, keep_bytes = excluded.keep_bytes, hold = excluded.hold

-- name: parts_put
insert into tidings_part(topic, number, born) select %(name)s, n, tidings_head(false) + 1
  from generate_series(0, %(partitions)s::int - 1) n on conflict do nothing

-- name: parts
select tp, topic, number, born from tidings_part order by topic, number

-- name: tables
select name, columns from tidings_table

-- name: table_put
insert into tidings_table values (%(name)s, %(columns)s)

-- name: declaring
select pg_advisory_xact_lock(hashtextextended('tidings declare ' || (select value from tidings_meta where name = 'identity'), 0))

-- name: there
select exists (select 1 from pg_class where relname = %(name)s and relnamespace = current_schema()::regnamespace)

-- name: script
select sql, made from tidings_script where name = %(name)s

-- name: scripts_made
select made from tidings_script

-- name: script_put
insert into tidings_script values (%(name)s, %(sql)s, %(made)s)

-- name: schema_tables
select tablename from pg_tables where schemaname = current_schema() and tablename not like 'tidings\_%%'

-- ---- log ----

-- name: settle
select settled, pending, number from tidings_settle(%(lines)s, %(known)s, %(upto)s, %(since)s)

-- Up to what the same trip has settled, and no further than the window.
-- name: scan
select pos, tp, key, time, head, data, crc from tidings_log
  where pos >= %(begin)s and pos <= least(current_setting('tidings.settled')::bigint, %(last)s) and tp = any(%(tps)s)
  order by pos limit %(limit)s

-- name: firsts
select tp, first from tidings_part where first > %(begin)s and tp = any(%(tps)s)

-- name: head
select tidings_head(false)

-- name: places
select tp, greatest(first, born), bytes from tidings_part

-- name: measured
select value::bigint from tidings_meta where name = 'measured'

-- name: measure
select tp, sum(coalesce(length(key), 0) + length(head) + coalesce(length(data), 0))::bigint from tidings_log
  where pos >= %(begin)s and pos < %(end)s group by tp

-- name: bytes_add
update tidings_part p set bytes = greatest(0, p.bytes + x.n) from unnest(%(tps)s::int[], %(ns)s::bigint[]) as x(tp, n)
  where p.tp = x.tp

-- name: log_after
select pos, time from tidings_log where pos >= %(begin)s order by pos limit 1

-- name: count
select x.tp, count(l.pos) from unnest(%(tps)s::int[], %(ats)s::bigint[]) as x(tp, at)
  left join tidings_log l on l.tp = x.tp and l.pos >= x.at group by x.tp

-- ---- retention ----

-- name: sweeping
select pg_try_advisory_xact_lock(hashtextextended('tidings sweep ' || (select value from tidings_meta where name = 'identity'), 0))

-- name: swept
select swept from tidings_topic where name = %(name)s

-- name: swept_set
update tidings_topic set swept = greatest(swept, %(at)s) where name = %(name)s

-- name: sweep_look
select pos, tp, time, coalesce(length(key), 0) + length(head) + coalesce(length(data), 0) from tidings_log
  where pos >= %(begin)s and pos < %(end)s and tp = any(%(tps)s) order by pos limit %(limit)s

-- name: log_drop
delete from tidings_log where pos = any(%(positions)s)

-- name: part_first
update tidings_part set first = greatest(first, %(first)s) where tp = %(tp)s

-- name: behind
select grp, next, paused from tidings_progress where tp = %(tp)s and next < %(first)s order by grp for update

-- name: lost_first
select min(pos) from tidings_log where tp = %(tp)s and pos >= %(at)s and pos < %(first)s

-- name: truncate
update tidings_progress set paused = %(reason)s, held_gen = held_gen + 1 where grp = %(group)s and tp = %(tp)s

-- name: slowest
select tp, min(next) from (select tp, next from tidings_progress where tp = any(%(tps)s) order by grp, tp for update) p group by tp

-- name: compact_look
select tp, key, pos, data is null from tidings_log where pos >= %(begin)s and pos < %(end)s and tp = any(%(tps)s)
  and key is not null order by pos limit %(limit)s

-- name: latest
select pos from tidings_latest where tp = %(tp)s and key = %(key)s

-- name: latest_put
insert into tidings_latest values (%(tp)s, %(key)s, %(pos)s, %(grave)s)
  on conflict (tp, key) do update set pos = excluded.pos, grave = excluded.grave

-- name: latest_drop
delete from tidings_latest where tp = %(tp)s and key = %(key)s and pos = %(pos)s

-- name: graves
select tp, key, pos from tidings_latest where grave order by pos limit %(limit)s

-- name: record_size
select tp, coalesce(length(key), 0) + length(head) + coalesce(length(data), 0) from tidings_log where pos = %(pos)s

-- name: log_partitions
select (regexp_match(c.relname, '_(\d+)$'))[1]::bigint as n from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'tidings_log'::regclass order by n

-- name: log_partition_drop
select tidings_drop(%(n)s)

-- name: log_partition_contents
select tp, count(*), max(pos), max(time), sum(coalesce(length(key), 0) + length(head) + coalesce(length(data), 0))::bigint
  from tidings_log where pos >= %(begin)s and pos < %(end)s group by tp

-- name: patience
set local lock_timeout = '500ms'

-- ---- groups ----

-- name: claim
insert into tidings_progress(grp, tp, next, epoch, owner, tries)
  select %(group)s, x.tp, x.at, coalesce(e.epoch, 0) + 1, %(member)s, 1
    from unnest(%(tps)s::int[], %(ats)s::bigint[]) as x(tp, at)
    left join tidings_ended e on e.grp = %(group)s and e.tp = x.tp order by x.tp
  on conflict (grp, tp) do update set epoch = tidings_progress.epoch + 1, owner = excluded.owner,
    tries = tidings_progress.tries + 1
  returning tp, epoch, next, held_gen, tries, paused, marks, muted

-- name: claims
select x.o, p.epoch, p.next, p.held_gen, p.tries, p.paused, p.marks, p.muted
  from unnest(%(groups)s::text[], %(tps)s::int[]) with ordinality as x(grp, tp, o)
  join tidings_progress p on p.grp = x.grp and p.tp = x.tp

-- name: release
update tidings_progress p set owner = '', tries = 0
  from (select q.grp, q.tp from tidings_progress q
    join unnest(%(groups)s::text[], %(tps)s::int[], %(epochs)s::bigint[]) as x(grp, tp, epoch)
      on q.grp = x.grp and q.tp = x.tp and q.epoch = x.epoch order by 1, 2 for update of q) mine
  where p.grp = mine.grp and p.tp = mine.tp

-- name: held
select h.tp, h.pos, h.time, h.key, h.head, h.data, h.due, h.attempt, h.error, h.crc
  from unnest(%(groups)s::text[], %(tps)s::int[]) with ordinality as x(grp, tp, o)
  join tidings_held h on h.grp = x.grp and h.tp = x.tp
  where %(due)s::bigint is null or (h.due <= %(due)s and (h.key is null or not exists
    (select 1 from tidings_held e where e.grp = h.grp and e.tp = h.tp and e.key = h.key and e.pos < h.pos)))
  order by x.o, h.pos limit %(limit)s

-- name: timers
select t.tp, t.name, t.due, t.key, t.head, t.data, t.attempt, t.crc
  from unnest(%(groups)s::text[], %(tps)s::int[]) as x(grp, tp) join tidings_timer t on t.grp = x.grp and t.tp = x.tp
  order by t.due, t.name limit %(limit)s

-- name: progress
select p.grp, p.tp, p.next, p.epoch, p.owner, p.held_gen, count(h.pos), count(h.pos) - count(h.due), min(h.time), p.paused
  from tidings_progress p left join tidings_held h on h.grp = p.grp and h.tp = p.tp
  where %(group)s::text is null or p.grp = %(group)s group by p.grp, p.tp

-- name: move
insert into tidings_progress(grp, tp, next, epoch, owner, held_gen)
  select %(group)s, %(tp)s::int, %(at)s, coalesce((select epoch from tidings_ended where grp = %(group)s and tp = %(tp)s), 0) + 1, '', 1
  on conflict (grp, tp) do update set next = excluded.next, epoch = tidings_progress.epoch + 1,
    held_gen = tidings_progress.held_gen + 1, marks = '{}', tries = 0,
    muted = case when %(muted)s then greatest(tidings_progress.next, tidings_progress.muted) else 0 end,
    paused = case when tidings_progress.paused like 'truncated: %%' then null else tidings_progress.paused end

-- name: move_held
delete from tidings_held where grp = %(group)s and tp = %(tp)s

-- name: move_timers
delete from tidings_timer where grp = %(group)s and tp = %(tp)s

-- name: forget_rows
update tidings_state set version = -version where space = %(space)s and version > 0

-- name: pause
update tidings_progress set paused = %(reason)s, held_gen = held_gen + 1 where (grp, tp) in
  (select grp, tp from tidings_progress where grp = %(group)s and tp = any(%(tps)s) order by grp, tp for update) returning tp

-- name: lock_progress
select 1 from tidings_progress where grp = %(group)s and tp = any(%(tps)s) order by grp, tp for update

-- name: parked
select pos from tidings_held where grp = %(group)s and tp = %(tp)s and key is not distinct from %(key)s::bytea and due is null
  order by pos for update

-- name: redrive
update tidings_held set due = %(now)s where grp = %(group)s and tp = %(tp)s and pos = any(%(offsets)s)

-- name: drop
delete from tidings_held where grp = %(group)s and tp = %(tp)s and pos = any(%(offsets)s)

-- name: touched
update tidings_progress set held_gen = held_gen + 1 where grp = %(group)s and tp = %(tp)s

-- name: end
insert into tidings_ended select grp, tp, epoch from tidings_progress where grp = %(group)s
  on conflict (grp, tp) do update set epoch = excluded.epoch

-- name: end_progress
delete from tidings_progress where grp = %(group)s

-- name: end_held
delete from tidings_held where grp = %(group)s

-- name: end_timers
delete from tidings_timer where grp = %(group)s

-- name: end_tallies
delete from tidings_tally where grp = %(group)s

-- name: end_members
delete from tidings_member where grp = %(group)s

-- name: act
insert into tidings_act(time, who, act, grp, detail) values (%(now)s, %(who)s, %(act)s, %(group)s, %(detail)s)

-- name: acts
select time, who, act, grp, detail from tidings_act order by id desc limit %(limit)s

-- ---- states ----

-- name: load
select x.o, s.no, s.version, n.version, n.data, n.crc, e.version, e.id, e.time, e.head, e.data, e.crc
  from unnest(%(spaces)s::text[], %(keys)s::text[]) with ordinality as x(space, key, o)
  join tidings_state s on s.space = x.space and s.key = x.key
  left join tidings_snapshot n on n.space = x.space and n.key = x.key and n.fingerprint = %(fingerprint)s
    and n.version <= least(s.version, %(to)s)
  left join tidings_stream_event e on e.stream = s.no and e.version > coalesce(n.version, 0) and e.version <= %(to)s
  order by x.o, e.version

-- name: keep
insert into tidings_snapshot values (%(space)s, %(key)s, %(fingerprint)s, %(version)s, %(data)s, %(now)s, %(crc)s)
  on conflict (space, key, fingerprint) do update set version = excluded.version, data = excluded.data,
    time = excluded.time, crc = excluded.crc where tidings_snapshot.version < excluded.version

-- name: streams
select key, version from tidings_state where space = %(space)s and key > %(after)s and stream order by key limit %(limit)s

-- name: spaces
with recursive space(name) as (
  select min(space) from tidings_state
  union all
  select (select min(space) from tidings_state where space > name) from space where name is not null
)
select name from space where name is not null
  and exists (select 1 from tidings_state where space = name and stream) order by name

-- ---- one's own write ----

-- name: reached
select 1 from unnest(%(tps)s::int[], %(offs)s::bigint[]) as x(tp, off)
  join tidings_progress p on p.grp = %(group)s and p.tp = x.tp
  where p.next <= x.off or exists (select 1 from tidings_held h where h.grp = p.grp and h.tp = x.tp and h.pos = x.off)
  limit 1

-- name: memo
select memo, receipt, time from tidings_once where scope = %(scope)s and name = %(id)s

-- ---- for people ----

-- name: tallies
select name, count from tidings_tally where grp = %(group)s

-- name: notes
select tp, pos, outcome, text, grp, time from tidings_note where %(group)s::text is null or grp = %(group)s
  order by id desc limit %(limit)s

-- name: handled
select grp, first, next, epoch, member, time from tidings_ledger where tp = %(tp)s and first <= %(offset)s and next > %(offset)s
  order by grp, id

-- name: ledger
select id, tp, first, next, epoch, member, time from tidings_ledger
  where grp = %(group)s and id > %(after)s and id <= %(settled)s order by id limit %(limit)s

-- ---- members ----

-- name: lock_key
select hashtextextended((select value from tidings_meta where name = 'identity') || %(group)s || chr(1) || %(member)s, 0)

-- name: lock
select pg_try_advisory_lock(%(lock)s)

-- name: unlock
select pg_advisory_unlock(%(lock)s)

-- name: beat
insert into tidings_member values (%(group)s, %(member)s, %(now)s, %(lock)s)
  on conflict (grp, name) do update set beat = excluded.beat, lock = excluded.lock

-- name: members
select m.grp, m.name, m.beat, l.held is not null from tidings_member m left join lateral (
    select true as held from pg_locks where locktype = 'advisory' and objsubid = 1 and granted
      and database = (select oid from pg_database where datname = current_database())
      and classid = (m.lock >> 32 & 4294967295)::oid and objid = (m.lock & 4294967295)::oid limit 1) l on true
  where %(group)s::text is null or m.grp = %(group)s order by m.grp, m.name

-- name: members_old
delete from tidings_member where grp = %(group)s and beat < %(before)s

-- name: leave
delete from tidings_member where (grp, name) in (select * from unnest(%(groups)s::text[], %(members)s::text[]))

-- ---- purge ----

-- name: purge_once
delete from tidings_once where ctid in (select ctid from tidings_once where time < %(before)s limit %(limit)s)

-- name: purge_notes
delete from tidings_note where id in (select id from tidings_note order by id limit %(limit)s) and time < %(before)s

-- name: purge_handled
delete from tidings_ledger where id in (select id from tidings_ledger order by id limit %(limit)s) and time < %(before)s

-- name: purge_snapshots
delete from tidings_snapshot where ctid in (select ctid from tidings_snapshot where time < %(before)s limit %(limit)s)

-- ---- facts ----

-- name: facts
select version(), current_database(), current_schema(), pg_database_size(current_database()),
  (select count(*) from tidings_log), (select count(*) from tidings_state where stream), (select count(*) from tidings_once),
  current_setting('data_checksums') = 'on'

-- Who holds every reader of the server back: the oldest transaction that has written.
-- name: holder
select pid, datname, usename, application_name, extract(epoch from clock_timestamp() - xact_start)::float8 from pg_stat_activity
  where backend_xid is not null and pid <> pg_backend_pid() order by age(backend_xid) desc limit 1

-- name: prepared
select gid, database, extract(epoch from clock_timestamp() - prepared)::float8 from pg_prepared_xacts order by age(transaction) desc limit 1

-- name: every_record
select pos, tp, key, time, head, data, crc from tidings_log where pos > %(after)s order by pos limit %(limit)s

-- name: every_stream_event
select s.space, s.key, e.stream, e.version, e.time, e.id, e.head, e.data, e.crc from tidings_stream_event e
  left join tidings_state s on s.no = e.stream where (e.stream, e.version) > (%(stream)s, %(version)s)
  order by e.stream, e.version limit %(limit)s

-- name: every_held
select grp, tp, pos, time, key, head, data, crc from tidings_held

-- name: every_timer
select grp, name, tp, due, attempt, key, head, data, crc from tidings_timer
