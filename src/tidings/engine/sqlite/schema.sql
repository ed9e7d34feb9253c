-- Each block brings a file from the version before to its own. Blocks are never changed once released, only added.
-- Every table of the engine begins with tidings_; all other tables of the file are its users'.

-- name: 1
-- What holds for the whole file: schema (version of this layout), file (its identity), next (lower bound of the next
-- offset, which persists when records go), stamp (the last version given to rows), declared (rises with every
-- declaration), boot and anchor (the clock), measured (how far bytes were counted).
create table tidings_meta(name text primary key, value any) strict, without rowid;

-- keep: seconds, null for ever. swept: the sweeper is done with everything below.
create table tidings_topic(
  name text primary key, partitions integer not null, keep real, keep_bytes integer, compact integer not null,
  hold integer not null, identity text not null, swept integer not null default 0) strict, without rowid;

-- tp names a partition in all other tables. born: where the log stood when it was declared. first: what lay below
-- went by retention. bytes: of its records below meta.measured; what lies beyond is counted by looking.
create table tidings_part(
  tp integer primary key, topic text not null, number integer not null, born integer not null,
  first integer not null default 0, bytes integer not null default 0, unique(topic, number)) strict;

-- In commit order and without any other index: readers scan and filter. pos is the offset.
create table tidings_log(
  pos integer primary key, tp integer not null, key blob, time integer not null, head blob not null, data blob,
  crc integer not null) strict;

-- The last position of each key in compacted topics, filled by the sweeper. grave: that record is a tombstone.
create table tidings_latest(
  tp integer not null, key blob not null, pos integer not null, grave integer not null,
  primary key(tp, key)) strict, without rowid;
create index tidings_grave on tidings_latest(pos) where grave = 1;

create table tidings_stream(
  no integer primary key, space text not null, key text not null, version integer not null,
  unique(space, key)) strict;
-- pos: where its copy lies in the log; null for a private event.
create table tidings_stream_event(
  stream integer not null, version integer not null, id blob not null, time integer not null, head blob not null,
  data blob, pos integer, crc integer not null, primary key(stream, version)) strict, without rowid;
create table tidings_snapshot(
  id integer primary key, space text not null, key text not null, fingerprint text not null,
  version integer not null, data blob not null, time integer not null, crc integer not null,
  unique(space, key, fingerprint)) strict;

create table tidings_table(name text primary key, columns text not null) strict, without rowid;
create table tidings_script(name text primary key, sql text not null, made text not null) strict, without rowid;

-- since, began, moved: the line of the ledger that is still growing, [since, next) of this epoch and owner.
create table tidings_progress(
  grp text not null, tp integer not null, next integer not null, epoch integer not null, owner text not null,
  held_gen integer not null default 0, tries integer not null default 0, muted integer not null default 0,
  paused text, marks text, since integer not null, began integer not null default 0,
  moved integer not null default 0, primary key(grp, tp)) strict, without rowid;
-- The epoch at which a removed group ended: a new group of its name goes on from it, so members of then stay fenced.
create table tidings_ended(
  grp text not null, tp integer not null, epoch integer not null, primary key(grp, tp)) strict, without rowid;
-- autoincrement: whoever pages through it by id must not meet the number of a line that was purged again.
create table tidings_ledger(
  id integer primary key autoincrement, grp text not null, tp integer not null, first integer not null, next integer not null,
  epoch integer not null, member text not null, time integer not null) strict;
create index tidings_ledger_place on tidings_ledger(tp, first);
create table tidings_held(
  grp text not null, tp integer not null, pos integer not null, time integer not null, key blob, head blob not null,
  data blob, due integer, attempt integer not null, error text not null, crc integer not null,
  primary key(grp, tp, pos)) strict;
create index tidings_held_key on tidings_held(grp, tp, key, pos);
create table tidings_timer(
  grp text not null, name text not null, tp integer not null, due integer not null, key blob, head blob not null,
  data blob, attempt integer not null, crc integer not null, primary key(grp, name)) strict, without rowid;
create index tidings_timer_due on tidings_timer(grp, tp, due);
create table tidings_once(
  id integer primary key, scope text not null, name blob not null, memo blob not null, receipt text not null,
  time integer not null, unique(scope, name)) strict;
create table tidings_note(
  id integer primary key, grp text not null, tp integer not null, pos integer not null, outcome text not null,
  text text not null, time integer not null, unique(grp, tp, pos)) strict;
create table tidings_tally(
  grp text not null, name text not null, count integer not null, primary key(grp, name)) strict, without rowid;
create table tidings_act(
  id integer primary key, time integer not null, who text not null, act text not null, grp text not null,
  detail text not null) strict;
create table tidings_member(
  grp text not null, name text not null, beat integer not null, primary key(grp, name)) strict, without rowid;
