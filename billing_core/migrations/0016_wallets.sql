-- Wallets, and whom they can pay. The money lies on accounts of the ledger.

ALTER TABLE networks ADD COLUMN has_wallet boolean NOT NULL DEFAULT false;   -- its subscribers can open one
UPDATE networks SET has_wallet = true WHERE network IN ('megacom', 'beeline-kg');

CREATE TABLE wallets (
    subscriber_id bigint PRIMARY KEY REFERENCES subscribers,
    account_id    bigint NOT NULL UNIQUE REFERENCES accounts,
    first_name    text NOT NULL CHECK (char_length(first_name) BETWEEN 1 AND 40),
    last_name     text NOT NULL CHECK (char_length(last_name) BETWEEN 1 AND 40),
    inn           text NOT NULL CHECK (inn ~ '^[0-9]{14}$'),
    pin_hash      text NOT NULL,                           -- argon2id
    pin_at        timestamptz NOT NULL DEFAULT moment(),
    wrong_in_row  smallint NOT NULL DEFAULT 0 CHECK (wrong_in_row >= 0),
    wrong_in_all  smallint NOT NULL DEFAULT 0 CHECK (wrong_in_all >= 0),   -- since identity was last proven
    locked_until  timestamptz,
    opened_at     timestamptz NOT NULL DEFAULT moment(),
    closed_at     timestamptz
);
CREATE UNIQUE INDEX wallets_one_a_person ON wallets (inn) WHERE closed_at IS NULL;

CREATE TABLE biller_categories (
    category_id text PRIMARY KEY,
    position    smallint NOT NULL,                         -- as it is printed; 0: not among the printed ones
    name_ky     text NOT NULL CHECK (char_length(name_ky) BETWEEN 1 AND 24),
    name_ru     text NOT NULL CHECK (char_length(name_ru) BETWEEN 1 AND 24),
    name_en     text NOT NULL CHECK (char_length(name_en) BETWEEN 1 AND 24)
);
CREATE TABLE biller_services (
    service_id       text PRIMARY KEY,
    category_id      text NOT NULL REFERENCES biller_categories,
    position         smallint NOT NULL,
    biller           text NOT NULL,                        -- whose account it is, and whom to ask
    name_ky          text CHECK (char_length(name_ky) BETWEEN 1 AND 24),
    name_ru          text NOT NULL CHECK (char_length(name_ru) BETWEEN 1 AND 24),
    name_en          text CHECK (char_length(name_en) BETWEEN 1 AND 24),
    account_kind     text NOT NULL CHECK (account_kind IN ('digits', 'inn', 'msisdn')),
    account_pattern  text NOT NULL,                        -- a regular expression that the account matches as a whole
    digits_min       smallint NOT NULL CHECK (digits_min BETWEEN 1 AND 20),
    digits_max       smallint NOT NULL CHECK (digits_max BETWEEN digits_min AND 20),
    currency         text NOT NULL CHECK (currency IN ('KZT', 'KGS')),
    sum_min          integer NOT NULL CHECK (sum_min > 0), -- in whole units of the currency
    sum_max          integer NOT NULL CHECK (sum_max BETWEEN sum_min AND 999999),
    fee_minor        integer NOT NULL CHECK (fee_minor >= 0),              -- fixed part …
    fee_basis_points integer NOT NULL CHECK (fee_basis_points BETWEEN 0 AND 1000),   -- … and that of the sum
    UNIQUE (category_id, position)
);

-- The memory of the biller that is simulated: what a real one would keep at home. Nothing else reads it.
CREATE TABLE simulated_payments (
    payment_id uuid PRIMARY KEY,
    account    text NOT NULL,
    sum_minor  bigint NOT NULL,
    state      text NOT NULL CHECK (state IN ('paid', 'refused')),
    known_at   timestamptz NOT NULL,                       -- before, whoever asks is not told
    times      integer NOT NULL DEFAULT 1                  -- it was asked for
);
