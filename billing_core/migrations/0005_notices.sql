-- Notices: SMS to be sent because something has happened. A row is written in the transaction of the fact, and handed to
-- the engine until it says that the SMSC has accepted it. Secret arguments stand only in `sealed`, encrypted under a key
-- outside the database, and are erased when the notice is accepted or too old.

CREATE TABLE notices (
    notice_id    uuid PRIMARY KEY,
    position     bigint GENERATED ALWAYS AS IDENTITY,      -- the order in which a number gets its notices
    msisdn       text COLLATE "C" NOT NULL,
    network      text NOT NULL REFERENCES networks,
    event        text NOT NULL,
    language     text CHECK (language IN ('kk', 'ru', 'ky', 'en')),        -- NULL: not chosen
    arguments    jsonb NOT NULL,                           -- without the secret ones
    sealed       bytea,
    written_at   timestamptz NOT NULL DEFAULT now(),
    not_after    timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'accepted', 'expired')),
    tries        integer NOT NULL DEFAULT 0,
    put_off      integer NOT NULL DEFAULT 0,               -- tries that came to nothing, but for an engine that was away
    try_at       timestamptz NOT NULL DEFAULT now(),       -- not before
    leased_until timestamptz,                              -- until then somebody is handing it over
    problem      text,                                     -- what the last try came to
    rejected     boolean NOT NULL DEFAULT false,           -- the engine says that it can never be sent: for people
    message_id   text,                                     -- the SMSC's own
    settled_at   timestamptz,
    CHECK ((state = 'waiting') = (settled_at IS NULL)),
    CHECK (state = 'waiting' OR sealed IS NULL)
);

CREATE UNIQUE INDEX notices_waiting ON notices (msisdn, rejected, position) WHERE state = 'waiting';
CREATE INDEX notices_due ON notices (position) WHERE state = 'waiting';
CREATE INDEX notices_too_old ON notices (not_after) WHERE state = 'waiting';
