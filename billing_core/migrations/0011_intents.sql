-- Intents: what was quoted, and what became of it. The id is that of the call that quoted it. `terms`: what was shown;
-- `outcome`: what whoever confirmed it was told.

CREATE TABLE intents (
    intent_id     uuid PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('tariff', 'service', 'extra_balance', 'reservation',
                                                'payment', 'transfer', 'mobile')),
    subscriber_id bigint NOT NULL REFERENCES subscribers,
    state         text NOT NULL DEFAULT 'quoted'
                  CHECK (state IN ('quoted', 'expired', 'refused', 'reserved', 'done', 'voided')),
    terms         jsonb NOT NULL,
    digits        text CHECK (digits ~ '^[0-9]{2}$'),      -- typed to confirm it; NULL: a PIN is
    wrong         smallint NOT NULL DEFAULT 0,             -- digits typed wrong
    currency      text NOT NULL CHECK (currency IN ('KZT', 'KGS')),
    sum_minor     bigint NOT NULL CHECK (sum_minor >= 0),
    fee_minor     bigint NOT NULL CHECK (fee_minor >= 0),
    quoted_at     timestamptz NOT NULL DEFAULT moment(),
    expires_at    timestamptz NOT NULL,
    asked_at      timestamptz,                             -- somebody was told "being checked": an SMS is promised
    claimed_at    timestamptz,
    settled_at    timestamptz,
    try_at        timestamptz,                             -- reserved: when the biller is asked again
    tries         integer NOT NULL DEFAULT 0,
    problem       text,                                    -- what the last question came to
    code          text CHECK (code ~ '^[0-9]{1,20}$'),     -- payment code
    outcome       jsonb,
    CHECK ((state IN ('expired', 'refused', 'done', 'voided')) = (settled_at IS NOT NULL)),
    CHECK (state <> 'reserved' OR (claimed_at IS NOT NULL AND try_at IS NOT NULL))
);
CREATE INDEX intents_quoted ON intents (expires_at) WHERE state = 'quoted';
CREATE INDEX intents_reserved ON intents (try_at) WHERE state = 'reserved';
CREATE INDEX intents_of_one ON intents (subscriber_id, quoted_at);
CREATE UNIQUE INDEX intents_code ON intents (code) WHERE code IS NOT NULL;

-- The legal moves, in one table.
CREATE FUNCTION intents_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('quoted', 'quoted'), ('quoted', 'expired'), ('quoted', 'refused'), ('quoted', 'reserved'), ('quoted', 'done'),
        ('reserved', 'reserved'), ('reserved', 'done'), ('reserved', 'voided')
    ) AND to_jsonb(NEW) <> to_jsonb(OLD) || '{"terms": {}}' THEN   -- personal data is forgotten after a time
        RAISE EXCEPTION 'an intent does not go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    IF (OLD.intent_id, OLD.kind, OLD.subscriber_id, OLD.currency, OLD.sum_minor, OLD.fee_minor)
       IS DISTINCT FROM
       (NEW.intent_id, NEW.kind, NEW.subscriber_id, NEW.currency, NEW.sum_minor, NEW.fee_minor)
       OR NEW.terms NOT IN (OLD.terms, '{}') THEN
        RAISE EXCEPTION 'what was quoted stays as it was shown' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER intents_move BEFORE UPDATE ON intents FOR EACH ROW EXECUTE FUNCTION intents_move();
