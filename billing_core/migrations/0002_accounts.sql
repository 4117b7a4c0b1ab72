-- Accounts: what each holds, in hundredths of one currency. An account never goes below zero; a debt is an account of
-- another kind. `version` counts the changes of a balance.

CREATE TABLE accounts (
    account_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscriber_id bigint NOT NULL REFERENCES subscribers,
    kind          text NOT NULL CHECK (kind IN ('prepaid', 'bonus')),
    currency      text NOT NULL CHECK (currency IN ('KZT', 'KGS')),
    balance_minor bigint NOT NULL DEFAULT 0 CHECK (balance_minor BETWEEN 0 AND 99999999999),
    version       bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
    UNIQUE (subscriber_id, kind)
);
