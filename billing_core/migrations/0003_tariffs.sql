-- Tariffs, and which one a subscriber has with what is left of its packages.

CREATE TABLE tariffs (
    tariff_id  text PRIMARY KEY,
    network    text NOT NULL REFERENCES networks,
    name_kk    text CHECK (char_length(name_kk) BETWEEN 1 AND 24),     -- in Kazakhstan
    name_ky    text CHECK (char_length(name_ky) BETWEEN 1 AND 24),     -- in Kyrgyzstan
    name_ru    text NOT NULL CHECK (char_length(name_ru) BETWEEN 1 AND 24),
    name_en    text NOT NULL CHECK (char_length(name_en) BETWEEN 1 AND 24),
    currency   text NOT NULL CHECK (currency IN ('KZT', 'KGS')),
    fee_minor  bigint NOT NULL CHECK (fee_minor BETWEEN 0 AND 99999999999),
    fee_period text NOT NULL CHECK (fee_period IN ('day', 'month')),
    minutes    integer NOT NULL CHECK (minutes BETWEEN 0 AND 99999),
    megabytes  integer NOT NULL CHECK (megabytes BETWEEN 0 AND 999999),
    sms        integer NOT NULL CHECK (sms BETWEEN 0 AND 99999)
);

CREATE TABLE subscriptions (
    subscriber_id  bigint PRIMARY KEY REFERENCES subscribers,
    tariff_id      text NOT NULL REFERENCES tariffs,
    renewal_day    smallint NOT NULL CHECK (renewal_day BETWEEN 1 AND 28),   -- of the month; unused by daily fees
    minutes_left   integer NOT NULL CHECK (minutes_left BETWEEN 0 AND 99999),
    megabytes_left integer NOT NULL CHECK (megabytes_left BETWEEN 0 AND 999999),
    sms_left       integer NOT NULL CHECK (sms_left BETWEEN 0 AND 99999)
);
