-- SMS that came in, each once; their texts are not kept.

CREATE TABLE inbox (
    inbox_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    link         text NOT NULL,
    msisdn       text COLLATE "C" NOT NULL,                -- the sender
    short_number text NOT NULL,
    smsc_id      text,                                     -- the SMSC's own id of it, where it gives one
    digest       text NOT NULL,                            -- of the text
    accepted_at  timestamptz NOT NULL
);

CREATE UNIQUE INDEX inbox_by_smsc_id ON inbox (link, msisdn, short_number, smsc_id) WHERE smsc_id IS NOT NULL;
CREATE INDEX inbox_by_sender ON inbox (msisdn, accepted_at);
