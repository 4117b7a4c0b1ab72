-- Cities and the operator's service points in them. Hours as they were published: by weekday, or only as a span of which
-- nobody said the days. What closes an office on a holiday is its own schedule.

CREATE TABLE cities (
    city_id text PRIMARY KEY,
    network text NOT NULL REFERENCES networks,
    position smallint NOT NULL,                            -- in the published order
    name_kk text NOT NULL CHECK (char_length(name_kk) BETWEEN 1 AND 20),
    name_ru text NOT NULL CHECK (char_length(name_ru) BETWEEN 1 AND 20),
    name_en text NOT NULL CHECK (char_length(name_en) BETWEEN 1 AND 20)
);

CREATE TABLE service_points (
    point_id      text PRIMARY KEY,
    city_id       text NOT NULL REFERENCES cities,
    position      smallint NOT NULL,
    is_centre     boolean NOT NULL,                        -- the operator's own; else a dealer
    address       text NOT NULL CHECK (char_length(address) BETWEEN 1 AND 60),
    monday_friday text CHECK (monday_friday ~ '^\d\d:\d\d-\d\d:\d\d$'),
    saturday      text CHECK (saturday ~ '^\d\d:\d\d-\d\d:\d\d$'),
    sunday        text CHECK (sunday ~ '^\d\d:\d\d-\d\d:\d\d$'),
    published     text CHECK (published ~ '^\d\d:\d\d-\d\d:\d\d$'),
    CHECK (published IS NULL OR (monday_friday IS NULL AND saturday IS NULL AND sunday IS NULL))
);
CREATE INDEX service_points_of_city ON service_points (city_id);
