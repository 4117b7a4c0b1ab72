-- Who manages whose number. A request is asked, then agreed to, then active; of both codes keyed hashes are kept while
-- they hold.

ALTER TABLE calls ADD COLUMN by_msisdn text COLLATE "C";   -- who asked for the number, when it was who manages it

CREATE TABLE delegations (
    delegation_id   uuid PRIMARY KEY,                      -- the call that asked
    manager_id      bigint NOT NULL REFERENCES subscribers,
    managed_id      bigint NOT NULL REFERENCES subscribers CHECK (managed_id <> manager_id),
    state           text NOT NULL DEFAULT 'asked'
                    CHECK (state IN ('asked', 'refused', 'agreed', 'void', 'active', 'ended', 'expired')),
    mark            bytea CHECK (octet_length(mark) = 32), -- of the code that is to come next
    valid_until     timestamptz NOT NULL,                  -- the code
    wrong           smallint NOT NULL DEFAULT 0,           -- activation codes in a row
    asked_at        timestamptz NOT NULL DEFAULT moment(),
    agreed_at       timestamptz,
    active_at       timestamptz,
    ended_at        timestamptz,
    CHECK ((state IN ('asked', 'agreed')) = (mark IS NOT NULL)),
    CHECK ((state IN ('refused', 'void', 'ended', 'expired')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX delegations_one_open ON delegations (manager_id, managed_id)
    WHERE state IN ('asked', 'agreed', 'active');
CREATE INDEX delegations_of_managed ON delegations (managed_id) WHERE state IN ('asked', 'agreed', 'active');
CREATE INDEX delegations_due ON delegations (valid_until) WHERE state IN ('asked', 'agreed');

-- Who sends wrong confirmation codes is not listened to for a while.
CREATE TABLE code_senders (
    subscriber_id bigint PRIMARY KEY REFERENCES subscribers,
    wrong_in_row  smallint NOT NULL DEFAULT 0 CHECK (wrong_in_row >= 0),
    paused_until  timestamptz
);
