-- Numbers that can be reserved, and who holds which.

CREATE TABLE number_brands (
    network       text NOT NULL REFERENCES networks,
    brand         text NOT NULL CHECK (char_length(brand) BETWEEN 1 AND 20),
    tariff_id     text NOT NULL REFERENCES tariffs,        -- that a new number starts with
    advance_minor bigint NOT NULL CHECK (advance_minor BETWEEN 0 AND 9999999),
    PRIMARY KEY (network, brand)
);
CREATE TABLE number_categories (
    network     text NOT NULL REFERENCES networks,
    category    text NOT NULL CHECK (category IN ('plain', 'silver', 'gold', 'platinum')),
    price_minor bigint NOT NULL CHECK (price_minor BETWEEN 0 AND 9999999),
    PRIMARY KEY (network, category)
);

CREATE TABLE numbers (
    msisdn   text COLLATE "C" PRIMARY KEY CHECK (msisdn ~ '^[1-9][0-9]{6,14}$'),
    network  text NOT NULL,
    brand    text NOT NULL,
    prefix   text NOT NULL CHECK (prefix ~ '^[0-9]{3}$'),
    category text NOT NULL,
    sold_at  timestamptz,                                  -- registered at an office
    FOREIGN KEY (network, brand) REFERENCES number_brands,
    FOREIGN KEY (network, category) REFERENCES number_categories
);
CREATE INDEX numbers_to_choose ON numbers (network, brand, prefix, msisdn) INCLUDE (category) WHERE sold_at IS NULL;
CREATE INDEX numbers_by_category ON numbers (network, brand, prefix, category, msisdn) WHERE sold_at IS NULL;

-- A number that is held by nobody is free again by itself: `held` counts only until `valid_until`. Of the code a keyed
-- hash is kept.
CREATE TABLE reservations (
    reservation_id uuid PRIMARY KEY,                       -- the intent
    msisdn         text COLLATE "C" NOT NULL REFERENCES numbers,
    subscriber_id  bigint NOT NULL REFERENCES subscribers,
    city_id        text NOT NULL REFERENCES cities,
    channel        text NOT NULL CHECK (channel IN ('ussd', 'web', 'office')),
    mark           bytea NOT NULL CHECK (octet_length(mark) = 32),
    wrong          smallint NOT NULL DEFAULT 0,            -- codes tried at an office
    state          text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'registered', 'cancelled', 'annulled', 'expired')),
    reserved_at    timestamptz NOT NULL DEFAULT moment(),
    valid_until    timestamptz NOT NULL,
    ended_at       timestamptz,
    why            text,
    CHECK ((state = 'held') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX reservations_one_holder ON reservations (msisdn) WHERE state = 'held';
CREATE UNIQUE INDEX reservations_code ON reservations (mark) WHERE state = 'held';
CREATE INDEX reservations_of_one ON reservations (subscriber_id, reserved_at);
CREATE INDEX reservations_due ON reservations (valid_until) WHERE state = 'held';
