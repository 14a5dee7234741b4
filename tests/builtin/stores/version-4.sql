-- A store as schema version 4 had it: with issues, Blueprints of runs as plain text. Made once; a released schema never changes.
PRAGMA application_id = 1937207917;
PRAGMA user_version = 4;
BEGIN TRANSACTION;
CREATE TABLE blob_refs (
        run INTEGER NOT NULL REFERENCES output_runs, blob INTEGER NOT NULL REFERENCES blobs, PRIMARY KEY (run, blob)
    ) WITHOUT ROWID
    ;
INSERT INTO "blob_refs" VALUES(1,1);
CREATE TABLE blobs (num INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, body BLOB);
INSERT INTO "blobs" VALUES(1,X'2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881',1,X'78');
CREATE TABLE blueprint_ids (
        num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, archived_at REAL, archived_by TEXT
    );
INSERT INTO "blueprint_ids" VALUES(1,'kept',NULL,NULL);
CREATE TABLE blueprint_texts (version TEXT PRIMARY KEY, body TEXT NOT NULL);
INSERT INTO "blueprint_texts" VALUES('4eb0c27166247e2b66ad895da823025c77b0ce412ea5b46165029c7fdbef5091','{"id":"kept"}');
INSERT INTO "blueprint_texts" VALUES('77d6ee9edf823edbe8981fd655796e82315186a3ea5938a8e05ce5bb86185985','{"id":"kept","metadata":{"version_label":"1.0.0"}}');
CREATE TABLE blueprint_versions (
        blueprint INTEGER NOT NULL REFERENCES blueprint_ids, number INTEGER NOT NULL, version TEXT NOT NULL,
        parents TEXT NOT NULL, committed_at REAL NOT NULL, label TEXT, said TEXT NOT NULL,
        PRIMARY KEY (blueprint, number)
    ) WITHOUT ROWID
    ;
INSERT INTO "blueprint_versions" VALUES(1,1,'4eb0c27166247e2b66ad895da823025c77b0ce412ea5b46165029c7fdbef5091','[]',1000.5,NULL,'{"rationale":"because","author":"alice"}');
INSERT INTO "blueprint_versions" VALUES(1,2,'77d6ee9edf823edbe8981fd655796e82315186a3ea5938a8e05ce5bb86185985','["4eb0c27166247e2b66ad895da823025c77b0ce412ea5b46165029c7fdbef5091"]',1001.5,'1.0.0','{"rationale":"more"}');
CREATE TABLE blueprints (hash TEXT PRIMARY KEY, body TEXT NOT NULL);
INSERT INTO "blueprints" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"id":"review"}');
CREATE TABLE enhance_log (
        num INTEGER PRIMARY KEY, issue_id TEXT NOT NULL UNIQUE, blueprint_id TEXT NOT NULL, ts_ms INTEGER NOT NULL,
        body TEXT NOT NULL
    );
CREATE TABLE enhance_settings (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE issues (
        num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, state TEXT NOT NULL, told TEXT,
        owner TEXT, attempt INTEGER NOT NULL DEFAULT 0, until REAL
    );
INSERT INTO "issues" VALUES(1,'h-kept','{"issue_id":"h-kept","blueprint_id":"kept","intent":"keep this"}','pending',NULL,NULL,0,NULL);
CREATE TABLE journal (id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, body TEXT NOT NULL);
INSERT INTO "journal" VALUES(4294967298,1,'[["run_started",1000.25,null,null,{}],["task_created",1000.5,"T-1",1,{}]]');
INSERT INTO "journal" VALUES(4294967299,3,'[["task_suspended",1001.5,"T-1",1,{"key":"R-1"}]]');
INSERT INTO "journal" VALUES(8589934593,1,'[["run_ended",950.0,null,null,{"status":"done"}]]');
CREATE TABLE new_outputs (
    num INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES output_runs, ref INTEGER NOT NULL, task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL, producer TEXT NOT NULL, parents TEXT, head TEXT NOT NULL, value TEXT, digest BLOB
);
INSERT INTO "new_outputs" VALUES(1,1,8250597632001392088,'T-1',1,'a',NULL,'["f",true]','{"verdict":"ship"}',NULL);
CREATE TABLE output_runs (num INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE);
INSERT INTO "output_runs" VALUES(1,'RUN-1');
CREATE TABLE outputs (
    num INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES output_runs, ref INTEGER NOT NULL, task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL, producer TEXT NOT NULL, parents TEXT, head TEXT NOT NULL, value TEXT, digest BLOB
);
CREATE TABLE owners (
        id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, boot TEXT, started TEXT,
        seen_at REAL NOT NULL, seen_mono REAL NOT NULL
    ) WITHOUT ROWID
    ;
INSERT INTO "owners" VALUES('E-1','here',7,'b-1','99',5.5,6.5);
CREATE TABLE questions (
        num INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, run INTEGER NOT NULL REFERENCES runs, task_id TEXT NOT NULL,
        address TEXT NOT NULL, agent TEXT NOT NULL, question TEXT NOT NULL, schema TEXT NOT NULL, who TEXT NOT NULL,
        asked_at REAL NOT NULL, expires_at REAL, has_default INTEGER NOT NULL, fallback TEXT NOT NULL,
        state TEXT NOT NULL, answer TEXT NOT NULL, answered_by TEXT, answered_at REAL, taken INTEGER NOT NULL DEFAULT 0
    );
INSERT INTO "questions" VALUES(1,'R-1',1,'T-1','0.1','reviewer','{"what":"ship it?"}','{"type":"boolean"}','["alice"]',1001.5,2000.0,1,'false','open','null',NULL,NULL,0);
CREATE TABLE runs (
        num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL, status TEXT NOT NULL, owner TEXT,
        key TEXT, parent TEXT, blueprint_id TEXT NOT NULL, blueprint_hash TEXT NOT NULL, created_at REAL NOT NULL,
        updated_at REAL NOT NULL, ended_at REAL, cancel TEXT, error TEXT, counts TEXT NOT NULL, launch TEXT NOT NULL,
        result TEXT
    );
INSERT INTO "runs" VALUES(1,'RUN-1',1,'waiting','E-1','order 66',NULL,'review','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1000.25,1000.5,NULL,NULL,NULL,'{"steps":2}','{"init_ctx":{"a":1}}',NULL);
INSERT INTO "runs" VALUES(2,'RUN-2',2,'done',NULL,NULL,NULL,'review','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',900.0,950.0,950.0,NULL,NULL,'{}','{"init_ctx":{}}','{"verdict":"ship"}');
CREATE UNIQUE INDEX runs_key ON runs (key) WHERE key IS NOT NULL;
CREATE INDEX runs_status ON runs (status);
CREATE INDEX runs_owner ON runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX runs_cancel ON runs (owner) WHERE cancel IS NOT NULL;
CREATE INDEX runs_blueprint ON runs (blueprint_hash);
CREATE INDEX questions_run ON questions (run);
CREATE INDEX questions_answered ON questions (run) WHERE state = 'answered' AND taken = 0;
CREATE INDEX questions_due ON questions (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;
CREATE INDEX outputs_ref ON outputs (ref);
CREATE INDEX outputs_producer ON outputs (producer);
CREATE INDEX outputs_run ON outputs (run);
CREATE INDEX blob_refs_blob ON blob_refs (blob);
CREATE INDEX blueprint_versions_version ON blueprint_versions (blueprint, version);
CREATE INDEX issues_open ON issues (num) WHERE state IN ('pending', 'in_flight');
CREATE INDEX enhance_log_time ON enhance_log (ts_ms);
CREATE INDEX enhance_log_blueprint ON enhance_log (blueprint_id, ts_ms);
COMMIT;
