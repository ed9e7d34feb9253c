-- One statement a block. Positional parameters are in the order of their numbers.

-- ---- the transaction ----

-- name: begin
begin immediate

-- name: commit
commit

-- name: rollback
rollback

-- name: savepoint
savepoint tidings_unit

-- name: back
rollback to tidings_unit

-- name: release
release tidings_unit

-- name: numbers
select max((select coalesce(max(pos) + 1, 0) from tidings_log), (select value from tidings_meta where name = 'next')),
  (select value from tidings_meta where name = 'stamp'), (select value from tidings_meta where name = 'declared'),
  (select value from tidings_meta where name = 'anchor')

-- name: read
begin

-- name: reach
select max((select coalesce(max(pos) + 1, 0) from tidings_log), (select value from tidings_meta where name = 'next')),
  (select coalesce(max(first), 0) from tidings_part)

-- name: next
select max((select coalesce(max(pos) + 1, 0) from tidings_log), (select value from tidings_meta where name = 'next'))

-- name: meta
select value from tidings_meta where name = ?1

-- name: meta_set
insert into tidings_meta values (?1, ?2) on conflict do update set value = excluded.value

-- name: declared
update tidings_meta set value = value + 1 where name = 'declared'

-- ---- declarations ----

-- name: topics
select name, partitions, keep, keep_bytes, compact, hold, identity from tidings_topic order by name

-- name: topic_put
insert into tidings_topic(name, partitions, keep, keep_bytes, compact, hold, identity) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
  on conflict do update set keep = excluded.keep, keep_bytes = excluded.keep_bytes, hold = excluded.hold

-- name: parts
select tp, topic, number, born from tidings_part order by topic, number

-- name: part_put
insert into tidings_part(topic, number, born) values (?1, ?2, ?3)

-- name: tables
select name, columns from tidings_table

-- name: table_put
insert into tidings_table values (?1, ?2)

-- name: script
select sql, made from tidings_script where name = ?1

-- name: scripts_made
select made from tidings_script

-- name: script_put
insert into tidings_script values (?1, ?2, ?3)

-- name: schema_tables
select name from sqlite_schema where type = 'table' and name not like 'tidings!_%' escape '!'

-- ---- log ----

-- name: log_put
insert into tidings_log values (?, ?, ?, ?, ?, ?, ?)

-- name: scan
select pos, tp, key, time, head, data, crc from tidings_log where pos >= ?1
  and (tp in (select value from json_each(?2)) or pos & 4095 = 0) order by pos limit ?3

-- name: scan_all
select pos, tp, key, time, head, data, crc from tidings_log where pos >= ?1 order by pos limit ?2

-- name: log_after
select pos, time from tidings_log where pos >= ?1 order by pos limit 1

-- name: firsts
select tp, first from tidings_part where first > ?1

-- name: begins
select max(first, born) from tidings_part where tp = ?1

-- name: places
select tp, max(first, born), bytes from tidings_part

-- The inner limit keeps the bytes themselves out of the sorter.
-- name: measure
select tp, sum(size) from (
  select tp, coalesce(length(key), 0) + length(head) + coalesce(length(data), 0) as size from tidings_log
  where pos >= ?1 and pos < ?2 limit -1) group by tp

-- name: measured
update tidings_part set bytes = max(0, bytes + ?2) where tp = ?1

-- name: count
select tp, count(*) from tidings_log where pos >= ?1 and pos < ?2 and tp in (select value from json_each(?3)) group by tp

-- ---- retention ----

-- name: swept
select swept from tidings_topic where name = ?1

-- name: swept_set
update tidings_topic set swept = max(swept, ?2) where name = ?1

-- name: sweep_look
select pos, tp, time, coalesce(length(key), 0) + length(head) + coalesce(length(data), 0) from tidings_log
  where pos >= ?1 and pos < ?2 and tp in (select value from json_each(?3)) order by pos limit ?4

-- name: log_drop
delete from tidings_log where pos = ?1 and tp = ?2

-- name: next_keep
update tidings_meta set value = max(value, ?1) where name = 'next'

-- name: part_first
update tidings_part set first = max(first, ?2) where tp = ?1

-- name: behind
select grp, next, paused from tidings_progress where tp = ?1 and next < ?2

-- name: lost_first
select min(pos) from tidings_log where tp = ?1 and pos >= ?2

-- name: truncate
update tidings_progress set paused = ?3, held_gen = held_gen + 1 where grp = ?1 and tp = ?2

-- name: slowest
select min(next) from tidings_progress where tp = ?1

-- name: compact_look
select tp, key, pos, data is null from tidings_log where pos >= ?1 and pos < ?2
  and tp in (select value from json_each(?3)) and key is not null order by pos limit ?4

-- name: latest
select pos from tidings_latest where tp = ?1 and key = ?2

-- name: latest_put
insert into tidings_latest values (?1, ?2, ?3, ?4) on conflict do update set pos = excluded.pos, grave = excluded.grave

-- name: latest_drop
delete from tidings_latest where tp = ?1 and key = ?2 and pos = ?3

-- name: graves
select tp, key, pos, grave from tidings_latest where grave = 1 order by pos limit ?1

-- ---- groups ----

-- name: step_look
select epoch, next, held_gen, began from tidings_progress where grp = ?1 and tp = ?2

-- name: step
update tidings_progress set next = ?3, held_gen = held_gen + ?4, tries = iif(next = ?3, tries, 0),
  since = iif(?5, next, since), began = iif(?5, ?6, began), moved = ?6 where grp = ?1 and tp = ?2

-- name: line
insert into tidings_ledger(grp, tp, first, next, epoch, member, time)
  select grp, tp, since, next, epoch, owner, moved from tidings_progress where grp = ?1 and tp = ?2 and since < next

-- name: lines
insert into tidings_ledger(grp, tp, first, next, epoch, member, time)
  select grp, tp, since, next, epoch, owner, moved from tidings_progress where (?1 is null or grp = ?1) and since < next

-- name: marks
select marks from tidings_progress where grp = ?1 and tp = ?2

-- name: marks_set
update tidings_progress set marks = ?3 where grp = ?1 and tp = ?2

-- name: claim
insert into tidings_progress(grp, tp, next, epoch, owner, tries, since)
  values (?1, ?2, ?3, 1 + coalesce((select epoch from tidings_ended where grp = ?1 and tp = ?2), 0), ?4, 1, ?3)
  on conflict do update set epoch = epoch + 1, owner = excluded.owner, tries = tries + 1, since = next, began = 0

-- name: claimed
select epoch, next, held_gen, tries, paused, marks, muted from tidings_progress where grp = ?1 and tp = ?2

-- name: let_go
update tidings_progress set owner = '', tries = 0, since = next, began = 0 where grp = ?1 and tp = ?2 and epoch = ?3

-- name: move
insert into tidings_progress(grp, tp, next, epoch, owner, since, held_gen, muted)
  values (?1, ?2, ?3, 1 + coalesce((select epoch from tidings_ended where grp = ?1 and tp = ?2), 0), '', ?3, 1, 0)
  on conflict do update set muted = iif(?4, max(next, muted), 0), next = excluded.next, epoch = epoch + 1,
    held_gen = held_gen + 1, marks = null, tries = 0, since = excluded.next, began = 0,
    paused = iif(paused glob ?5, null, paused)

-- name: pause
update tidings_progress set paused = ?3, held_gen = held_gen + 1 where grp = ?1 and tp = ?2

-- name: touched
update tidings_progress set held_gen = held_gen + 1 where grp = ?1 and tp = ?2

-- name: end
insert into tidings_ended select grp, tp, epoch from tidings_progress where grp = ?1
  on conflict do update set epoch = excluded.epoch

-- name: end_progress
delete from tidings_progress where grp = ?1

-- name: end_held
delete from tidings_held where grp = ?1

-- name: end_timers
delete from tidings_timer where grp = ?1

-- name: end_tallies
delete from tidings_tally where grp = ?1

-- name: end_members
delete from tidings_member where grp = ?1

-- name: move_held
delete from tidings_held where grp = ?1 and tp = ?2

-- name: move_timers
delete from tidings_timer where grp = ?1 and tp = ?2

-- name: progress
select p.grp, p.tp, p.next, p.epoch, p.owner, p.held_gen, count(h.pos), count(h.pos) - count(h.due), min(h.time), p.paused
  from tidings_progress p left join tidings_held h on h.grp = p.grp and h.tp = p.tp
  where ?1 is null or p.grp = ?1 group by p.grp, p.tp order by p.grp, p.tp

-- name: act
insert into tidings_act(time, who, act, grp, detail) values (?1, ?2, ?3, ?4, ?5)

-- name: acts
select time, who, act, grp, detail from tidings_act order by id desc limit ?1

-- ---- held events and timers ----

-- name: held_put
insert or replace into tidings_held values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)

-- name: held_done
delete from tidings_held where grp = ?1 and tp = ?2 and pos = ?3

-- name: held
select pos, time, key, head, data, due, attempt, error, crc from tidings_held
  where grp = ?1 and tp = ?2 order by pos limit ?3

-- The heads of keys, by leaping from key to key in the index; events without a key are all heads.
-- name: held_due
with recursive head(key) as (
  select min(key) from tidings_held where grp = ?1 and tp = ?2 and key is not null
  union all
  select (select min(key) from tidings_held where grp = ?1 and tp = ?2 and key > head.key) from head where head.key is not null
)
select h.pos, h.time, h.key, h.head, h.data, h.due, h.attempt, h.error, h.crc from tidings_held h
  where h.grp = ?1 and h.tp = ?2 and h.due <= ?3 and (h.pos in (
    select (select min(pos) from tidings_held b where b.grp = ?1 and b.tp = ?2 and b.key = head.key)
    from head where head.key is not null)
  or h.pos in (select pos from tidings_held where grp = ?1 and tp = ?2 and key is null))
  order by h.pos limit ?4

-- name: parked
select pos from tidings_held where grp = ?1 and tp = ?2 and key is ?3 and due is null order by pos

-- name: redrive
update tidings_held set due = ?4 where grp = ?1 and tp = ?2 and key is ?3 and due is null

-- name: drop
delete from tidings_held where grp = ?1 and tp = ?2 and key is ?3 and due is null

-- name: timer_look
select due, attempt from tidings_timer where grp = ?1 and name = ?2

-- name: timer_put
insert or replace into tidings_timer values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)

-- name: timer_done
delete from tidings_timer where grp = ?1 and name = ?2

-- name: timers
select name, due, key, head, data, attempt, crc from tidings_timer where grp = ?1 and tp = ?2
  order by due, name limit ?3

-- ---- states ----

-- name: stream
select no, version from tidings_stream where space = ?1 and key = ?2

-- name: stream_new
insert into tidings_stream(space, key, version) values (?1, ?2, 0)

-- name: stream_end
update tidings_stream set version = ?2 where no = ?1

-- name: stream_event_put
insert into tidings_stream_event values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)

-- name: stream_place
select id, pos from tidings_stream_event where stream = ?1 and version = ?2

-- name: stream_events
select version, id, time, head, data, crc from tidings_stream_event where stream = ?1 and version > ?2 and version <= ?3
  order by version

-- name: streams
select key, version from tidings_stream where space = ?1 and key > ?2 and version > 0 order by key limit ?3

-- name: spaces
with recursive space(name) as (
  select min(space) from tidings_stream
  union all
  select (select min(space) from tidings_stream where space > name) from space where name is not null
)
select name from space where name is not null

-- name: snapshot
select version, data, crc from tidings_snapshot where space = ?1 and key = ?2 and fingerprint = ?3 and version <= ?4

-- name: snapshot_put
insert into tidings_snapshot(space, key, fingerprint, version, data, time, crc) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
  on conflict do update set version = excluded.version, data = excluded.data, time = excluded.time, crc = excluded.crc
  where excluded.version > version

-- name: stamp
update tidings_meta set value = ?1 where name = 'stamp'

-- ---- one's own write ----

-- name: once
select memo from tidings_once where scope = ?1 and name = ?2

-- name: once_put
insert into tidings_once(scope, name, memo, receipt, time) values (?1, ?2, ?3, ?4, ?5)

-- name: memo
select memo, receipt, time from tidings_once where scope = ?1 and name = ?2

-- name: reached
select next > ?3 and not exists (select 1 from tidings_held where grp = ?1 and tp = ?2 and pos = ?3)
  from tidings_progress where grp = ?1 and tp = ?2

-- ---- for people ----

-- name: tally_add
insert into tidings_tally values (?1, ?2, ?3) on conflict do update set count = count + excluded.count

-- name: tallies
select name, count from tidings_tally where grp = ?1

-- name: note_put
insert or ignore into tidings_note(grp, tp, pos, outcome, text, time) values (?1, ?2, ?3, ?4, ?5, ?6)

-- name: notes
select tp, pos, outcome, text, grp, time from tidings_note where ?1 is null or grp = ?1 order by id desc limit ?2

-- name: handled
select grp, first, next, epoch, member, time from tidings_ledger where tp = ?1 and first <= ?2 and next > ?2
  union all
  select grp, since, next, epoch, owner, moved from tidings_progress where tp = ?1 and since <= ?2 and next > ?2
    and began > 0
  order by 1, 6

-- name: ledger
select id, tp, first, next, epoch, member, time from tidings_ledger where grp = ?1 and id > ?2 order by id limit ?3

-- ---- members ----

-- name: beat
insert or replace into tidings_member values (?1, ?2, ?3)

-- name: members
select grp, name, beat from tidings_member where ?1 is null or grp = ?1 order by grp, name

-- name: members_old
select name from tidings_member where grp = ?1 and beat < ?2

-- name: member_gone
delete from tidings_member where grp = ?1 and name = ?2

-- name: members_gone
delete from tidings_member

-- name: owners_gone
update tidings_progress set owner = '', since = next, began = 0 where owner <> ''

-- ---- purge ----

-- name: purge_once
delete from tidings_once where id in (select id from tidings_once order by id limit ?2) and time < ?1

-- name: purge_note
delete from tidings_note where id in (select id from tidings_note order by id limit ?2) and time < ?1

-- name: purge_ledger
delete from tidings_ledger where id in (select id from tidings_ledger order by id limit ?2) and time < ?1

-- name: purge_snapshot
delete from tidings_snapshot where id > ?2 and id <= ?3 and time < ?1

-- name: record_size
select coalesce(length(key), 0) + length(head) + coalesce(length(data), 0) from tidings_log where pos = ?1

-- name: snapshots_after
select id from tidings_snapshot where id > ?1 order by id limit ?2

-- ---- facts ----

-- name: count_streams
select count(*) from tidings_stream

-- name: count_records
select count(*) from tidings_log

-- name: count_once
select count(*) from tidings_once

-- name: sound
pragma integrity_check(20)

-- ---- every record, for a look at its seal ----

-- name: every_record
select pos, tp, key, time, head, data, crc from tidings_log

-- name: every_stream_event
select s.space, s.key, e.stream, e.version, e.time, e.id, e.head, e.data, e.crc
  from tidings_stream_event e left join tidings_stream s on s.no = e.stream

-- name: every_held
select grp, tp, pos, time, key, head, data, crc from tidings_held

-- name: every_timer
select grp, name, tp, due, attempt, key, head, data, crc from tidings_timer

-- name: pages
select page_count, freelist_count, page_size from pragma_page_count, pragma_freelist_count, pragma_page_size
