-- The ledger of one dataset: what was searched for, what was found, the verdicts, and the decisions of a person.
-- Times are UTC. Rows are never deleted, except announced changes that did not happen.

CREATE TABLE run (              -- one `harvest get`
    id      INTEGER PRIMARY KEY,
    began   TEXT NOT NULL,
    ended   TEXT,
    version TEXT NOT NULL,
    transform TEXT              -- JSON: size, padding and quality of the images that it writes
);

CREATE TABLE class (
    name       TEXT PRIMARY KEY,
    renamed_to TEXT             -- the new name of its folder; cleared once the query file has it
) WITHOUT ROWID;

CREATE TABLE search (           -- one query at one provider
    id       INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    class    TEXT NOT NULL,
    text     TEXT NOT NULL,
    filters  TEXT NOT NULL,     -- JSON
    asked    INTEGER NOT NULL DEFAULT 0,
    ending   TEXT NOT NULL DEFAULT '',  -- how it ended last: 'exhausted', 'limit reached', the name of an error
    ended    TEXT,
    UNIQUE (provider, class, text, filters)
);

CREATE TABLE picture (          -- one version of one picture
    id              INTEGER PRIMARY KEY,
    state           TEXT NOT NULL CHECK (state IN (
                        'placing',   -- announced, not confirmed: the file may exist or not
                        'present',
                        'rejected',  -- by a person, for the whole dataset and forever
                        'lifted',    -- the rejection was lifted, but there is no file: to be downloaded again
                        'edited',    -- the version of `became` before a person edited it
                        'replaced'   -- a worse copy, or one of several: replaced by `became`
                    )),
    class           TEXT NOT NULL,
    name            TEXT NOT NULL,
    shelved         INTEGER NOT NULL DEFAULT 0, -- its file is in dataset.rejected
    size            INTEGER,                    -- of the file when it was last seen
    mtime_ns        INTEGER,
    content         TEXT NOT NULL,              -- SHA-256 of the file
    body            TEXT,                       -- SHA-256 of the download; NULL for a file that a person added
    pixels          TEXT,                       -- SHA-256 of the upright pixels before resizing
    width           INTEGER,
    height          INTEGER,
    original_width  INTEGER,
    original_height INTEGER,
    format          TEXT,                       -- of the original
    raw             TEXT,                       -- name of the original in dataset.raw, with -k
    hit             INTEGER REFERENCES hit,     -- that it was downloaded from
    licence         TEXT,                       -- of that hit: its SPDX id
    own             INTEGER NOT NULL DEFAULT 0, -- added by a person: never changed, never replaced
    touched         INTEGER NOT NULL DEFAULT 0, -- a person edited, moved, restored or kept it: never replaced
    examined        INTEGER NOT NULL DEFAULT 1, -- 0: its fingerprint is not computed, or not compared with the others yet
    became          INTEGER REFERENCES picture,
    run             INTEGER REFERENCES run,
    at              TEXT NOT NULL,
    source_type     TEXT,                       -- IPTC digital source type that the download stated
    reviewed        INTEGER NOT NULL DEFAULT 0, -- a person kept, moved, restored or rated it, and did not edit it since
    rating          INTEGER,                    -- 1 to 9, by a person
    shard           INTEGER,                    -- that contains it, with `size` bytes; NULL: it is a file of its own
    shard_offset    INTEGER                     -- of its first byte in the shard
);
CREATE INDEX picture_files ON picture (state, class, name, size, mtime_ns, shelved, shard);
CREATE INDEX picture_shard ON picture (shard, state) WHERE shard IS NOT NULL;
CREATE INDEX picture_content ON picture (content);
CREATE INDEX picture_name ON picture (name);
CREATE INDEX picture_became ON picture (became) WHERE became IS NOT NULL;
CREATE INDEX picture_unexamined ON picture (id) WHERE NOT examined;
-- For counts that would read every row.
CREATE INDEX picture_own ON picture (state, class) WHERE own;
CREATE INDEX picture_run ON picture (run, state, own, class);
CREATE INDEX picture_made_with_ai ON picture (state, class, source_type) WHERE source_type IS NOT NULL;

CREATE TABLE fingerprint (      -- apart from `picture`, whose rows would otherwise be five times as long
    picture INTEGER PRIMARY KEY REFERENCES picture,
    data    BLOB NOT NULL
);
-- The few to compute again. The length is FINGERPRINT_BYTES; `damaged_rows.py` repeats the condition.
CREATE INDEX fingerprint_outdated ON fingerprint (picture) WHERE typeof(data) <> 'blob' OR length(data) <> 1885;

CREATE TABLE hit (              -- one search result
    id          INTEGER PRIMARY KEY,
    search      INTEGER NOT NULL REFERENCES search,
    class       TEXT NOT NULL,
    provider    TEXT NOT NULL,
    url         TEXT NOT NULL,
    address     TEXT NOT NULL,  -- the source key of the URL: source_keys.source_key(url)
    source      TEXT NOT NULL,  -- the source key of the provider: the same for every URL of one photograph
    rank        INTEGER NOT NULL,
    page        TEXT,
    title       TEXT,
    width       INTEGER,
    height      INTEGER,
    author      TEXT,
    author_url  TEXT,
    licence     TEXT,           -- its SPDX id
    licence_url TEXT,
    evidence    TEXT NOT NULL,
    others      TEXT,           -- JSON: smaller renditions
    verdict     TEXT,           -- NULL: left for the next run
    detail      TEXT NOT NULL DEFAULT '',
    attempts    INTEGER NOT NULL DEFAULT 0,
    run         INTEGER REFERENCES run,         -- of its last verdict
    picture     INTEGER REFERENCES picture,     -- that it became, or is the same as
    UNIQUE (search, source)                     -- one photograph is one hit, whatever its current URL
);
CREATE INDEX hit_address ON hit (address);
CREATE INDEX hit_source ON hit (source);
CREATE INDEX hit_picture ON hit (picture);

CREATE TABLE shard (            -- a tar file of images; the row is written before the file
    number INTEGER PRIMARY KEY,
    length INTEGER NOT NULL     -- of the complete samples in bytes: a writer overwrites what is behind them
);

CREATE TABLE decision (         -- append-only
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       TEXT NOT NULL,
    by       TEXT NOT NULL,     -- page, files, cli, harvest
    session  TEXT NOT NULL,     -- one opening of the dataset
    batch    INTEGER NOT NULL,  -- the seq of the first of those made, and undone, together
    picture  INTEGER REFERENCES picture,
    content  TEXT,
    action   TEXT NOT NULL,
    "from"   TEXT,
    "to"     TEXT,
    value    TEXT,
    undoes   INTEGER REFERENCES decision,
    before   TEXT               -- JSON: the state of the picture that an undo restores
);
CREATE INDEX decision_picture ON decision (picture);

CREATE TABLE conflict (         -- one picture found for two classes; open until it is resolved
    picture  INTEGER NOT NULL REFERENCES picture,
    class    TEXT NOT NULL,     -- the other class
    at       TEXT NOT NULL,
    resolved TEXT,
    PRIMARY KEY (picture, class)
) WITHOUT ROWID;

CREATE TABLE near_duplicate (   -- two pictures that may be copies of each other; both are kept
    picture  INTEGER NOT NULL REFERENCES picture,
    other    INTEGER NOT NULL REFERENCES picture,
    certain  INTEGER NOT NULL,  -- 1: they certainly are, and a person added one of them
    at       TEXT NOT NULL,
    resolved TEXT,              -- a person decided that both stay
    PRIMARY KEY (picture, other),
    CHECK (picture < other)
) WITHOUT ROWID;

CREATE TABLE pending (          -- announced changes of files: the next process that opens the ledger completes or drops them
    picture  INTEGER PRIMARY KEY REFERENCES picture,
    action   TEXT NOT NULL CHECK (action IN ('place', 'move')),
    shelf    TEXT,              -- the area that it is moved from
    class    TEXT,
    name     TEXT,              -- for 'place': its part file, set before the rename
    replaces INTEGER REFERENCES picture
);

-- One row: an id that the dataset keeps wherever it is moved or copied. The settings folder records the paths
-- where it was seen.
CREATE TABLE dataset AS SELECT CAST(lower(hex(randomblob(16))) AS TEXT) AS id;

CREATE TABLE split (            -- the part of a picture in trainings: it stays the same, whatever is added later
    deal    TEXT NOT NULL,      -- percentages and seed: other values make another split
    content TEXT NOT NULL,
    part    TEXT NOT NULL CHECK (part IN ('train', 'valid', 'test')),
    PRIMARY KEY (deal, content)
) WITHOUT ROWID;

CREATE TABLE recipe (           -- one row, if the dataset is rebuilt from a recipe or from other datasets
    digest   TEXT NOT NULL,     -- what it is rebuilt from
    finished TEXT
);

CREATE TABLE expected_image (   -- an image to rebuild
    id              INTEGER PRIMARY KEY,
    hit             INTEGER REFERENCES hit, -- to download it from; NULL: nobody knows where it came from
    class           TEXT NOT NULL,
    transform       TEXT NOT NULL,          -- JSON
    content         TEXT NOT NULL,          -- SHA-256 of the file in the dataset that it comes from
    rendered        INTEGER NOT NULL,       -- it is written with another transform, so its file is another
    body            TEXT,                   -- SHA-256 of the download
    pixels          TEXT,
    original_width  INTEGER,
    original_height INTEGER,
    touched         INTEGER NOT NULL,
    reviewed        INTEGER NOT NULL,
    rating          INTEGER,
    result          TEXT CHECK (result IN ('same', 'changed', 'smaller', 'gone')),  -- NULL: not tried yet
    detail          TEXT NOT NULL DEFAULT '',
    run             INTEGER,                -- that tried it last
    settled         INTEGER NOT NULL DEFAULT 0, -- its picture is placed, and has what is known of it
    UNIQUE (hit)
);

CREATE TABLE expected_source (  -- another search result that gave the same image
    hit   INTEGER PRIMARY KEY REFERENCES hit,
    image INTEGER NOT NULL REFERENCES expected_image
);
