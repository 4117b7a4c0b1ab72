-- Payments: money that came to an account. Each row tells the balance before and after, and the account's version then,
-- as an entry of a ledger does. Rows are only added.

CREATE TABLE payments (
    payment_id           uuid PRIMARY KEY,                 -- made by whoever takes the money: one id, one payment
    account_id           bigint NOT NULL REFERENCES accounts,
    sum_minor            bigint NOT NULL CHECK (sum_minor > 0),
    currency             text NOT NULL CHECK (currency IN ('KZT', 'KGS')),
    source               text NOT NULL,                    -- where the money was taken
    balance_before_minor bigint NOT NULL CHECK (balance_before_minor >= 0),
    balance_after_minor  bigint NOT NULL,
    version              bigint NOT NULL,
    paid_at              timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account_id, version),
    CHECK (balance_after_minor = balance_before_minor + sum_minor)
);

CREATE INDEX payments_of_one ON payments (account_id, paid_at);

CREATE FUNCTION payments_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a payment is neither changed nor removed';
END
$$;

CREATE TRIGGER payments_stay BEFORE UPDATE OR DELETE ON payments
    FOR EACH ROW EXECUTE FUNCTION payments_stay();
