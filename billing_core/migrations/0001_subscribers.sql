-- Networks, and who holds which number.

CREATE TABLE networks (
    network   text PRIMARY KEY,
    country   text NOT NULL CHECK (country IN ('KZ', 'KG')),
    time_zone text NOT NULL,            -- days and months of its subscribers are local
    currency  text NOT NULL CHECK (currency IN ('KZT', 'KGS'))
);

INSERT INTO networks (network, country, time_zone, currency) VALUES
    ('kcell',      'KZ', 'Asia/Almaty',  'KZT'),
    ('beeline-kz', 'KZ', 'Asia/Almaty',  'KZT'),
    ('megacom',    'KG', 'Asia/Bishkek', 'KGS'),
    ('beeline-kg', 'KG', 'Asia/Bishkek', 'KGS'),
    ('o',          'KG', 'Asia/Bishkek', 'KGS');

-- One row is one person's time with a number. Numbers change hands: the next holder gets a new row, with accounts of
-- their own, and the row of the one before keeps its history.
CREATE TABLE subscribers (
    subscriber_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    msisdn        text COLLATE "C" NOT NULL CHECK (msisdn ~ '^[1-9][0-9]{6,14}$'),
    network       text NOT NULL REFERENCES networks,
    brand         text NOT NULL CHECK (char_length(brand) BETWEEN 1 AND 20),
    status        text NOT NULL CHECK (status IN ('active', 'barred', 'blocked', 'closed')),
    language      text CHECK (language IN ('kk', 'ru', 'ky', 'en')),   -- NULL: not chosen yet
    held_since    timestamptz NOT NULL DEFAULT now(),
    held_until    timestamptz CHECK (held_until >= held_since)         -- NULL: holds it now
);

CREATE UNIQUE INDEX subscribers_one_holder ON subscribers (msisdn) WHERE held_until IS NULL;
