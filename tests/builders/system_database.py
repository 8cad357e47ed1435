"""A database like that of System: tables with what is awkward in a dump, a trigger with its function, sequences."""

SCHEMA = """
CREATE TABLE accounts (id bigserial PRIMARY KEY, org_name text, master boolean, provider boolean, created_at timestamp);
CREATE TABLE cinstances (id bigserial PRIMARY KEY, account_id bigint REFERENCES accounts, user_key text, data bytea,
  tenant_id bigint);
CREATE TABLE "Odd ""name" (id int, note text);
CREATE TABLE schema_migrations (version text PRIMARY KEY);
CREATE VIEW tenants AS SELECT id, org_name FROM accounts WHERE provider;
CREATE FUNCTION set_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.tenant_id := NEW.account_id; RETURN NEW; END $$;
CREATE TRIGGER cinstances_tenant BEFORE INSERT ON cinstances FOR EACH ROW EXECUTE FUNCTION set_tenant();
CREATE INDEX by_key ON cinstances (user_key);
CREATE SEQUENCE invoices START 1000;
"""
MASTER = "INSERT INTO accounts (org_name, master, provider, created_at) VALUES ('Master', true, true, now())"
AWKWARD = [
    "SET transaction_timeout = 0;",
    "\\restrict",
    "\\.",
    "a\tb\nc\\d",
    "größe ☃",
    "COPY public.accounts (id) FROM stdin;",
    "",
]
ROWS = 2000


def fill(running, database):
    """Make the tables as their owner, with rows."""
    with running.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute('SET ROLE "system"')
        cursor.execute(SCHEMA)
        cursor.execute(MASTER)
        cursor.executemany(
            "INSERT INTO accounts (org_name, master, provider, created_at) VALUES (%s, false, true, now())",
            [(each,) for each in AWKWARD],
        )
        cursor.execute(
            "INSERT INTO cinstances (account_id, user_key, data) "
            "SELECT 1 + i %% 8, md5(i::text), decode(md5(i::text), 'hex') FROM generate_series(1, %s) i",
            [ROWS],
        )
        cursor.execute('INSERT INTO "Odd ""name" VALUES (1, NULL), (NULL, %s)', ["x"])
        cursor.execute("SELECT nextval('invoices')")


def seed(running, database):
    """What an operator that was started too early has made: tables with a new master account, and no tenant."""
    with running.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute('SET ROLE "system"')
        cursor.execute(SCHEMA)
        cursor.execute(MASTER)
