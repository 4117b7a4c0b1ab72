-- Self-service: what a subscriber prefers, services, the extra balance, vouchers, small free requests, tickets, blocking.

CREATE TABLE preferences (
    subscriber_id      bigint PRIMARY KEY REFERENCES subscribers,
    low_balance        boolean NOT NULL DEFAULT true,
    topped_up          boolean NOT NULL DEFAULT true,
    missed_calls       boolean NOT NULL DEFAULT true,
    requests           boolean NOT NULL DEFAULT true,      -- call me, pay for me, free SMS of others
    below_minor        bigint CHECK (below_minor BETWEEN 0 AND 9999900),   -- NULL: the setting
    auto_extra_balance boolean NOT NULL DEFAULT false
);

-- What a number that is blocked by its holder may use once it is opened again.
ALTER TABLE subscribers ADD COLUMN status_under text CHECK (status_under IN ('active', 'barred')),
    ADD CONSTRAINT subscribers_status_under CHECK (status_under IS NULL OR status = 'blocked');

CREATE TABLE services (
    service_id    text PRIMARY KEY,
    network       text NOT NULL REFERENCES networks,
    name_kk       text CHECK (char_length(name_kk) BETWEEN 1 AND 24),
    name_ky       text CHECK (char_length(name_ky) BETWEEN 1 AND 24),
    name_ru       text NOT NULL CHECK (char_length(name_ru) BETWEEN 1 AND 24),
    name_en       text NOT NULL CHECK (char_length(name_en) BETWEEN 1 AND 24),
    conditions_kk text CHECK (char_length(conditions_kk) <= 160),
    conditions_ky text CHECK (char_length(conditions_ky) <= 160),
    conditions_ru text NOT NULL CHECK (char_length(conditions_ru) <= 160),
    conditions_en text NOT NULL CHECK (char_length(conditions_en) <= 160),
    currency      text NOT NULL CHECK (currency IN ('KZT', 'KGS')),
    fee_minor     bigint NOT NULL CHECK (fee_minor BETWEEN 0 AND 9999999),
    fee_period    text NOT NULL CHECK (fee_period IN ('day', 'month')),
    on_offer      boolean NOT NULL DEFAULT true
);
CREATE TABLE connected_services (
    subscriber_id bigint NOT NULL REFERENCES subscribers,
    service_id    text NOT NULL REFERENCES services,
    since         timestamptz NOT NULL DEFAULT moment(),
    until         timestamptz,
    CHECK (until >= since)
);
CREATE UNIQUE INDEX connected_services_once ON connected_services (subscriber_id, service_id) WHERE until IS NULL;

CREATE TABLE extra_balance_offers (
    offer_id  text PRIMARY KEY,
    network   text NOT NULL REFERENCES networks,
    currency  text NOT NULL CHECK (currency IN ('KZT', 'KGS')),
    sum_minor bigint NOT NULL CHECK (sum_minor BETWEEN 1 AND 9999999),
    fee_minor bigint NOT NULL CHECK (fee_minor BETWEEN 0 AND 9999999)
);
CREATE TABLE extra_balances (
    cause          uuid PRIMARY KEY,                       -- the intent, or what let it be given by itself
    subscriber_id  bigint NOT NULL REFERENCES subscribers,
    sum_left_minor bigint NOT NULL CHECK (sum_left_minor >= 0),
    fee_left_minor bigint NOT NULL CHECK (fee_left_minor >= 0),
    given_at       timestamptz NOT NULL DEFAULT moment(),
    paid_at        timestamptz,
    CHECK ((paid_at IS NOT NULL) = (sum_left_minor = 0 AND fee_left_minor = 0))
);
CREATE UNIQUE INDEX extra_balances_one_at_a_time ON extra_balances (subscriber_id) WHERE paid_at IS NULL;

-- Of a voucher's digits only a keyed hash is kept.
CREATE TABLE vouchers (
    mark      bytea PRIMARY KEY CHECK (octet_length(mark) = 32),
    currency  text NOT NULL CHECK (currency IN ('KZT', 'KGS')),
    sum_minor bigint NOT NULL CHECK (sum_minor > 0),
    made_at   timestamptz NOT NULL DEFAULT moment(),
    used_by   bigint REFERENCES subscribers,
    used_at   timestamptz,
    CHECK ((used_by IS NULL) = (used_at IS NULL))
);

-- Tries that count: so many of a kind within a time, by number.
CREATE TABLE tries (
    subscriber_id bigint NOT NULL REFERENCES subscribers,
    kind          text NOT NULL,
    at            timestamptz NOT NULL DEFAULT moment()
);
CREATE INDEX tries_of_one ON tries (subscriber_id, kind, at);

CREATE TABLE requests (
    subscriber_id bigint NOT NULL REFERENCES subscribers,
    to_id         bigint NOT NULL REFERENCES subscribers,
    kind          text NOT NULL CHECK (kind IN ('call_me', 'pay_for_me', 'free_sms')),
    at            timestamptz NOT NULL DEFAULT moment()
);
CREATE INDEX requests_from ON requests (subscriber_id, kind, at);
CREATE INDEX requests_to ON requests (to_id, kind, at);

CREATE TABLE tickets (
    ticket_id     integer GENERATED ALWAYS AS IDENTITY (START WITH 10000001 MAXVALUE 99999999) PRIMARY KEY,
    subscriber_id bigint NOT NULL REFERENCES subscribers,
    kind          text NOT NULL CHECK (kind IN ('network', 'payment', 'internet')),
    opened_at     timestamptz NOT NULL DEFAULT moment(),
    closed_at     timestamptz
);
CREATE INDEX tickets_open ON tickets (subscriber_id) WHERE closed_at IS NULL;

-- What the network has to be told; written with the fact, done by a worker until the network has accepted it.
CREATE TABLE provisioning (
    order_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause     uuid NOT NULL,
    msisdn    text COLLATE "C" NOT NULL,
    what      text NOT NULL CHECK (what IN ('block', 'unblock', 'close', 'open')),
    written_at timestamptz NOT NULL DEFAULT moment(),
    try_at    timestamptz NOT NULL DEFAULT moment(),
    tries     integer NOT NULL DEFAULT 0,
    problem   text,
    done_at   timestamptz
);
CREATE INDEX provisioning_waiting ON provisioning (try_at) WHERE done_at IS NULL;

-- Documents that were shown, and who they were: personal data, purged after a time.
CREATE TABLE identities (
    subscriber_id bigint PRIMARY KEY REFERENCES subscribers,
    surname       text NOT NULL CHECK (char_length(surname) <= 40),
    name          text NOT NULL CHECK (char_length(name) <= 40),
    person_id     text NOT NULL CHECK (person_id ~ '^[0-9]{12,14}$')
);
CREATE TABLE documents_shown (
    subscriber_id bigint NOT NULL REFERENCES subscribers,
    why           text NOT NULL,
    document      text NOT NULL CHECK (char_length(document) <= 40),
    at            timestamptz NOT NULL DEFAULT moment()
);

-- The other number of a charge: personal data, kept apart from the ledger, which stays.
CREATE TABLE charged_numbers (
    posting_id bigint PRIMARY KEY REFERENCES postings,
    other      text COLLATE "C" NOT NULL
);
CREATE TABLE statement_codes (
    subscriber_id bigint PRIMARY KEY REFERENCES subscribers,
    mark          bytea CHECK (octet_length(mark) = 32),   -- NULL: void
    wrong         smallint NOT NULL DEFAULT 0,
    valid_until   timestamptz NOT NULL
);
