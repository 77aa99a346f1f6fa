-- The tables of version 1, and a store of theirs: two observations delivered, two owed.
CREATE TABLE meta (
  epoch INTEGER NOT NULL,
  next_entry INTEGER NOT NULL,
  next_observation INTEGER NOT NULL
) STRICT;

CREATE TABLE source (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE observation (
  id INTEGER PRIMARY KEY,
  source INTEGER NOT NULL REFERENCES source (id),
  taken_ms INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  form BLOB NOT NULL
) STRICT;
CREATE INDEX observation_by_source ON observation (source);

CREATE TABLE backend (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  queued_entries INTEGER NOT NULL,
  queued_readings INTEGER NOT NULL
) STRICT;
CREATE TABLE stream (
  id INTEGER PRIMARY KEY,
  backend INTEGER NOT NULL REFERENCES backend (id),
  name TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  next_sequence INTEGER NOT NULL,
  UNIQUE (backend, name)
) STRICT;
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  backend INTEGER NOT NULL REFERENCES backend (id),
  stream INTEGER NOT NULL REFERENCES stream (id),
  sequence INTEGER NOT NULL,
  taken_ms INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  record_count INTEGER NOT NULL,
  records BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_by_backend ON outbox (backend);

PRAGMA application_id = 1852992868;
PRAGMA user_version = 1;
INSERT INTO meta VALUES (1700000000, 111411200000005, 5);
INSERT INTO source VALUES (1, 'meter', 8);
INSERT INTO observation VALUES
  (1, 1, 1700000001000, 1, x'0001'), (2, 1, 1700000002000, 1, x'0002'),
  (3, 1, 1700000003000, 1, x'0003'), (4, 1, 1700000004000, 1, x'0004');
INSERT INTO backend VALUES (1, 'utility', 2, 2);
INSERT INTO stream VALUES (1, 1, 'meter', 1700000000, 4);
INSERT INTO outbox VALUES
  (111411200000003, 1, 1, 2, 1700000003000, 1, 1, x'0003'),
  (111411200000004, 1, 1, 3, 1700000004000, 1, 1, x'0004');
