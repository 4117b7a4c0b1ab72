-- Every call that was to change something, under the id that its caller gave it, with the answer it got: kept for ever.
-- A row is written in the transaction of the change itself. `state` is NULL only inside that transaction.

CREATE TABLE calls (
    call_id     uuid PRIMARY KEY,
    operation   text NOT NULL,
    msisdn      text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),   -- of the arguments, without secrets
    state       text CHECK (state IN ('done', 'refused')),
    answer      jsonb,                                                   -- results, or code and details
    made_at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((state IS NULL) = (answer IS NULL))
);

CREATE FUNCTION calls_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a call that was answered is neither changed nor removed';
END
$$;

CREATE TRIGGER calls_stay BEFORE UPDATE OR DELETE ON calls
    FOR EACH ROW WHEN (OLD.state IS NOT NULL) EXECUTE FUNCTION calls_stay();
