-- A PIN is changed in three steps: the old one, the new one, the new one again. What was chosen is kept as its hash.

CREATE TABLE pin_changes (
    subscriber_id bigint PRIMARY KEY REFERENCES subscribers,
    change_id     uuid,                                    -- NULL: it was done, or given up
    new_hash      text,                                    -- argon2id; NULL: not chosen yet
    valid_until   timestamptz NOT NULL
);
