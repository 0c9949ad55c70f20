CREATE TABLE IF NOT EXISTS launchgate_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL,
    revision TEXT NOT NULL,
    release_id TEXT,
    release_source TEXT,
    run_id TEXT NOT NULL UNIQUE,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    step TEXT,
    exit_code INTEGER,
    term_signal INTEGER,
    command TEXT,
    holder TEXT NOT NULL,
    version TEXT NOT NULL,
    note TEXT,
    output_tail TEXT,
    started_at TEXT NOT NULL,
    heartbeat_at TEXT,
    lease_until TEXT,
    finished_at TEXT
)
;
CREATE INDEX launchgate_runs_app_revision ON launchgate_runs (app, revision);
