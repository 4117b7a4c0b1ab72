-- The ledger: double entry, whole numbers of hundredths, rows that are only ever added.
--
-- An account belongs to a subscriber (prepaid, bonus, wallet) or to the house. A house account that all payments would
-- wait for has sixteen stripes, which are accounts of their own. What is negative is what the house has taken in (cash,
-- vouchers), lent, or begun with; every other account never goes below zero.

ALTER TABLE accounts
    DROP CONSTRAINT accounts_kind_check,
    DROP CONSTRAINT accounts_balance_minor_check,
    ALTER COLUMN subscriber_id DROP NOT NULL,
    ADD COLUMN owner text NOT NULL DEFAULT '',             -- of a biller's account: the biller
    ADD COLUMN stripe smallint NOT NULL DEFAULT 0 CHECK (stripe BETWEEN 0 AND 15),
    ADD CONSTRAINT accounts_kind CHECK (
        kind IN ('prepaid', 'bonus', 'wallet', 'cash', 'vouchers', 'opening', 'lent', 'revenue', 'fees', 'held', 'biller')),
    ADD CONSTRAINT accounts_holder CHECK ((subscriber_id IS NOT NULL) = (kind IN ('prepaid', 'bonus', 'wallet'))),
    ADD CONSTRAINT accounts_not_below_zero CHECK (
        balance_minor >= 0 OR kind IN ('cash', 'vouchers', 'opening', 'lent')),
    ADD CONSTRAINT accounts_can_be_shown CHECK (kind NOT IN ('prepaid', 'bonus') OR balance_minor <= 99999999999),
    ADD CONSTRAINT accounts_currency UNIQUE (account_id, currency);

CREATE UNIQUE INDEX accounts_of_the_house ON accounts (kind, owner, currency, stripe) WHERE subscriber_id IS NULL;

INSERT INTO accounts (kind, currency, stripe)
SELECT kind, currency, stripe
FROM unnest(ARRAY['cash', 'vouchers', 'lent', 'revenue', 'fees', 'held']) AS kind,
     unnest(ARRAY['KZT', 'KGS']) AS currency, generate_series(0, 15) AS stripe;
INSERT INTO accounts (kind, currency) VALUES ('opening', 'KZT'), ('opening', 'KGS');

-- One movement of money: its entries add up to nothing, in one currency. `cause`: the id of the call, the intent or the
-- payment that wanted it; the same cause moves money once in each way.
CREATE TABLE postings (
    posting_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause      uuid NOT NULL,
    kind       text NOT NULL CHECK (kind ~ '^[a-z_]+(\.[a-z_]+)?$'),
    currency   text NOT NULL CHECK (currency IN ('KZT', 'KGS')),
    posted_at  timestamptz NOT NULL DEFAULT moment(),
    written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    UNIQUE (cause, kind),
    UNIQUE (posting_id, currency)
);

CREATE TABLE entries (
    account_id   bigint NOT NULL,
    version      bigint NOT NULL CHECK (version > 0),      -- of the account, after it
    posting_id   bigint NOT NULL,
    currency     text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    before_minor bigint NOT NULL,
    after_minor  bigint NOT NULL,
    PRIMARY KEY (account_id, version),
    FOREIGN KEY (account_id, currency) REFERENCES accounts (account_id, currency),
    FOREIGN KEY (posting_id, currency) REFERENCES postings (posting_id, currency),
    CHECK (after_minor = before_minor + amount_minor)
);
CREATE INDEX entries_of_posting ON entries (posting_id);

-- Postings that no seal covers yet, and the seals: a chain of keyed hashes, each over the one before and its postings.
CREATE TABLE unsealed (posting_id bigint PRIMARY KEY REFERENCES postings);
CREATE TABLE seals (
    seal_id     bigint PRIMARY KEY CHECK (seal_id > 0),    -- without gaps
    posting_ids bigint[] NOT NULL CHECK (cardinality(posting_ids) > 0),
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    sealed_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION ledger_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is only added to: % of % is refused', TG_OP, TG_TABLE_NAME;
END
$$;
CREATE TRIGGER postings_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_stays();
CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_stays();
CREATE TRIGGER seals_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON seals
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_stays();

-- All entries of a posting come in one statement, in the transaction of the posting, and add up to nothing.
CREATE FUNCTION entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM added a JOIN postings p USING (posting_id)
        GROUP BY p.posting_id, p.written_by
        HAVING sum(a.amount_minor) <> 0 OR p.written_by <> pg_current_xact_id()
    ) THEN
        RAISE EXCEPTION 'the entries of a posting must add up to nothing, and come with it' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER entries_balance AFTER INSERT ON entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION entries_balance();

-- The only way to move money for who serves. Accounts are locked in one order, whatever order they are named in. Returns
-- the posting, and what is on each of the accounts after it.
CREATE FUNCTION post(p_cause uuid, p_kind text, p_currency text, p_accounts bigint[], p_amounts bigint[])
RETURNS TABLE (posting_id bigint, account_id bigint, balance_minor bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_posting bigint;
    v_moved   integer;
BEGIN
    IF (SELECT bool_or(kind = 'opening') FROM (
            SELECT kind FROM accounts WHERE account_id = ANY (p_accounts) ORDER BY account_id FOR NO KEY UPDATE) AS locked)
       AND session_user <> current_user THEN
        RAISE EXCEPTION 'only the owner opens accounts with money on them' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO postings (cause, kind, currency) VALUES (p_cause, p_kind, p_currency) RETURNING posting_id INTO v_posting;
    WITH moved AS (
        UPDATE accounts a
        SET balance_minor = a.balance_minor + m.amount, version = a.version + 1
        FROM unnest(p_accounts, p_amounts) AS m (account_id, amount)
        WHERE a.account_id = m.account_id
        RETURNING a.account_id, a.version, m.amount, a.balance_minor
    )
    INSERT INTO entries (account_id, version, posting_id, currency, amount_minor, before_minor, after_minor)
    SELECT account_id, version, v_posting, p_currency, amount, balance_minor - amount, balance_minor FROM moved;
    GET DIAGNOSTICS v_moved = ROW_COUNT;
    IF v_moved < 2 OR v_moved <> cardinality(p_accounts) OR v_moved <> cardinality(p_amounts) THEN
        RAISE EXCEPTION 'a posting needs two accounts or more, each of them once' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO unsealed VALUES (v_posting);
    RETURN QUERY SELECT v_posting, e.account_id, e.after_minor FROM entries e WHERE e.posting_id = v_posting;
END
$$;

-- Whoever decides by a balance holds the account meanwhile. Accounts are locked in one order.
CREATE FUNCTION hold(p_accounts bigint[])
RETURNS TABLE (account_id bigint, balance_minor bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.account_id, a.balance_minor FROM accounts a WHERE a.account_id = ANY (p_accounts)
    ORDER BY a.account_id FOR NO KEY UPDATE
$$;

-- What a posting says, as 32 octets: the seals are made over these.
CREATE FUNCTION posting_digest(p_posting bigint) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(
        concat_ws('|', p.posting_id, p.cause, p.kind, p.currency, extract(epoch FROM p.posted_at)) || '|' ||
        (SELECT string_agg(concat_ws(',', e.account_id, e.version, e.amount_minor, e.before_minor, e.after_minor), ';'
                           ORDER BY e.account_id, e.version)
         FROM entries e WHERE e.posting_id = p.posting_id), 'UTF8'))
    FROM postings p WHERE p.posting_id = p_posting
$$;

CREATE FUNCTION add_seal(p_seal bigint, p_postings bigint[], p_hash bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_covered integer;
BEGIN
    DELETE FROM unsealed WHERE posting_id = ANY (p_postings);
    GET DIAGNOSTICS v_covered = ROW_COUNT;
    IF v_covered <> cardinality(p_postings) OR p_seal <> coalesce((SELECT max(seal_id) FROM seals), 0) + 1 THEN
        RAISE EXCEPTION 'a seal follows the one before, and covers what waits' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO seals (seal_id, posting_ids, hash) VALUES (p_seal, p_postings, p_hash);
END
$$;
REVOKE ALL ON FUNCTION post, hold, add_seal FROM PUBLIC;

-- What was on the accounts before there was a ledger: an opening posting a currency, then each payment as it came.
CREATE TEMPORARY TABLE opened ON COMMIT DROP AS
SELECT a.account_id, a.currency, a.balance_minor, a.balance_minor - coalesce(sum(p.sum_minor), 0) AS opening_minor
FROM accounts a LEFT JOIN payments p USING (account_id)
WHERE a.subscriber_id IS NOT NULL
GROUP BY a.account_id;

INSERT INTO postings (cause, kind, currency, posted_at)
SELECT gen_random_uuid(), 'opening', currency, timestamptz '2024-01-01 00:00:00+00'
FROM opened GROUP BY currency HAVING sum(opening_minor) > 0;

WITH first AS (
    SELECT o.account_id, p.posting_id, o.currency, o.opening_minor AS amount
    FROM opened o JOIN postings p ON p.kind = 'opening' AND p.currency = o.currency
    WHERE o.opening_minor > 0
), both_sides AS (
    SELECT account_id, posting_id, currency, amount FROM first
    UNION ALL
    SELECT a.account_id, f.posting_id, f.currency, -sum(f.amount)
    FROM first f JOIN accounts a ON a.kind = 'opening' AND a.currency = f.currency
    GROUP BY a.account_id, f.posting_id, f.currency
)
INSERT INTO entries (account_id, version, posting_id, currency, amount_minor, before_minor, after_minor)
SELECT account_id, 1, posting_id, currency, amount, 0, amount FROM both_sides;

INSERT INTO postings (cause, kind, currency, posted_at)
SELECT payment_id, 'top_up', currency, paid_at FROM payments ORDER BY paid_at;

WITH came AS (
    SELECT p.account_id, t.posting_id, p.currency, p.sum_minor, p.paid_at, p.version,
           row_number() OVER (PARTITION BY p.account_id ORDER BY p.version)
               + CASE WHEN o.opening_minor > 0 THEN 1 ELSE 0 END AS new_version,
           row_number() OVER (PARTITION BY p.currency ORDER BY t.posting_id) AS cash_version,
           sum(p.sum_minor) OVER (PARTITION BY p.currency ORDER BY t.posting_id) AS cash_minor
    FROM payments p JOIN postings t ON t.cause = p.payment_id AND t.kind = 'top_up' JOIN opened o USING (account_id)
)
INSERT INTO entries (account_id, version, posting_id, currency, amount_minor, before_minor, after_minor)
SELECT c.account_id, c.new_version, c.posting_id, c.currency, c.sum_minor, p.balance_before_minor, p.balance_after_minor
FROM came c JOIN payments p ON p.account_id = c.account_id AND p.version = c.version
UNION ALL
SELECT a.account_id, c.cash_version, c.posting_id, c.currency, -c.sum_minor,
       -c.cash_minor + c.sum_minor, -c.cash_minor
FROM came c JOIN accounts a ON a.kind = 'cash' AND a.stripe = 0 AND a.currency = c.currency;

UPDATE accounts a SET version = e.version, balance_minor = e.after_minor
FROM (SELECT DISTINCT ON (account_id) account_id, version, after_minor FROM entries ORDER BY account_id, version DESC) AS e
WHERE e.account_id = a.account_id;
UPDATE accounts a SET version = 0 WHERE NOT EXISTS (SELECT FROM entries e WHERE e.account_id = a.account_id);

INSERT INTO unsealed SELECT posting_id FROM postings;
DROP TABLE payments;
DROP FUNCTION payments_stay;
