-- The password of the personal cabinet, the temporary ones that were sent, and the wrong ones that were tried.

-- Since when the SIM card is in use; NULL: as long as the number is held. Whoever changes a card writes it here.
ALTER TABLE subscribers ADD COLUMN sim_since timestamptz;

CREATE TABLE cabinets (
    subscriber_id bigint PRIMARY KEY REFERENCES subscribers,
    password_hash text,                                    -- argon2id; NULL: none was chosen yet
    changed_at    timestamptz,
    wrong_in_row  smallint NOT NULL DEFAULT 0 CHECK (wrong_in_row >= 0),   -- since the last right one, or the last lock
    wrong_in_all  smallint NOT NULL DEFAULT 0 CHECK (wrong_in_all >= 0),   -- since identity was last proven
    locked_until  timestamptz
);

CREATE TABLE temporary_passwords (
    password_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscriber_id bigint NOT NULL REFERENCES subscribers,
    password_hash text,                                    -- argon2id; NULL: void
    issued_at     timestamptz NOT NULL,
    valid_until   timestamptz NOT NULL CHECK (valid_until > issued_at)
);

CREATE INDEX temporary_passwords_of_one ON temporary_passwords (subscriber_id, issued_at);
CREATE INDEX temporary_passwords_of_all ON temporary_passwords (issued_at);
CREATE UNIQUE INDEX temporary_passwords_one_holds ON temporary_passwords (subscriber_id)
    WHERE password_hash IS NOT NULL;
