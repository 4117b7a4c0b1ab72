-- The time by which everything is decided: of the statement. One function, so that a test can say what time it is
-- (SET billing.now = '…') and need not wait.

CREATE FUNCTION moment() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('billing.now', true), '')::timestamptz, statement_timestamp())
$$;
