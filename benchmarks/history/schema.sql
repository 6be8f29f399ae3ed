-- The history of edge-bench, version 1 (docs/bench-history.md). Rows are added; nothing changes a measurement, and only a
-- night that is marked as pruned lets its measurements go.

PRAGMA auto_vacuum = INCREMENTAL;

BEGIN IMMEDIATE;

CREATE TABLE nights (
    id INTEGER PRIMARY KEY,     -- in the order of the names
    name TEXT NOT NULL UNIQUE,  -- 2026-11-28T02:00:00Z
    plan TEXT NOT NULL,         -- JSON
    finished INTEGER NOT NULL DEFAULT 0,
    pruned INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE cells (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    model TEXT NOT NULL,
    runtime TEXT NOT NULL,
    threads INTEGER NOT NULL,
    UNIQUE (device, model, runtime, threads)
) STRICT;

-- Which device and software: the same for thousands of measurements.
CREATE TABLE identities (
    id INTEGER PRIMARY KEY,
    model_sha256 TEXT,
    program TEXT,
    release TEXT,
    runtime_version TEXT,
    machine TEXT,
    kernel TEXT,
    emulated INTEGER NOT NULL,
    record TEXT NOT NULL UNIQUE  -- JSON, the whole identity
) STRICT;

CREATE TABLE measurements (
    id INTEGER PRIMARY KEY,
    night INTEGER NOT NULL REFERENCES nights,
    cell INTEGER NOT NULL REFERENCES cells,
    role TEXT NOT NULL,
    start INTEGER NOT NULL,
    time TEXT NOT NULL,
    p50_ms REAL,
    fault TEXT,                  -- its code
    identity INTEGER REFERENCES identities
) STRICT;

-- All that a series needs, in its order, so that a year is read without the rows themselves.
CREATE INDEX measurements_series ON measurements (cell, night, role, start, fault, p50_ms, identity);
CREATE INDEX measurements_canary ON measurements (cell, night, role, start, fault, p50_ms)
WHERE role IN ('canary-before', 'canary-after');
CREATE INDEX measurements_night ON measurements (night);
-- A start is measured once. After a fault it may be tried again.
CREATE UNIQUE INDEX measurements_once ON measurements (night, cell, role, start) WHERE fault IS NULL;

-- Apart from the columns: a year of records has hundreds of megabytes.
CREATE TABLE records (
    measurement INTEGER PRIMARY KEY REFERENCES measurements ON DELETE CASCADE,
    record TEXT NOT NULL         -- JSON, the whole measurement but its identity
) STRICT;

CREATE TABLE verdicts (
    cell INTEGER NOT NULL REFERENCES cells,
    night INTEGER NOT NULL REFERENCES nights,
    word TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,      -- JSON
    PRIMARY KEY (cell, night)
) STRICT, WITHOUT ROWID;

CREATE INDEX verdicts_night ON verdicts (night);

CREATE TABLE latencies (
    id INTEGER PRIMARY KEY,
    night TEXT NOT NULL,         -- when the table was measured, which need not be a night of the matrix
    device TEXT NOT NULL,
    identity INTEGER REFERENCES identities,
    rows TEXT NOT NULL           -- JSON, a list of objects
) STRICT;

CREATE INDEX latencies_device ON latencies (device, night);

CREATE TRIGGER measurements_stay BEFORE UPDATE ON measurements
BEGIN SELECT RAISE(ABORT, 'measurements do not change'); END;

CREATE TRIGGER measurements_kept BEFORE DELETE ON measurements
WHEN NOT (SELECT pruned FROM nights WHERE id = OLD.night)
BEGIN SELECT RAISE(ABORT, 'measurements go with their pruned night alone'); END;

CREATE TRIGGER records_stay BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'records do not change'); END;

CREATE TRIGGER verdicts_stay BEFORE UPDATE ON verdicts
BEGIN SELECT RAISE(ABORT, 'verdicts do not change'); END;

CREATE TRIGGER verdicts_kept BEFORE DELETE ON verdicts
BEGIN SELECT RAISE(ABORT, 'verdicts stay'); END;

-- For people and their own queries.
CREATE VIEW measured AS
SELECT nights.name AS night, device, model, runtime, threads, role, start, time, p50_ms, fault,
    model_sha256, program, release, runtime_version, machine, kernel, emulated, records.record, identities.record AS identity
FROM measurements
JOIN nights ON nights.id = measurements.night
JOIN cells ON cells.id = measurements.cell
JOIN records ON records.measurement = measurements.id
LEFT JOIN identities ON identities.id = measurements.identity;

PRAGMA application_id = 1701077607;  -- "edbg"
PRAGMA user_version = 1;

COMMIT;
