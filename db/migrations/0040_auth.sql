-- Users. On Supabase `auth.users` exists and is not changed. Elsewhere Weir is the issuer and creates the part of it that Weir needs, with
-- the same names, so that every other file reads users in the same way.

-- The table has one row: its primary key is a boolean.
create table weir.installation (
  only_row boolean not null default true,
  -- Rises with each restore (weir.begin_epoch) and is part of each row of the audit log. So a row that was written after a restore cannot
  -- be mistaken for one that the restore lost.
  epoch integer not null default 1,
  -- Null until the first replica has reported its keyring (weir.replica_heartbeat), and again after a restore without the keyring. A
  -- replica with another keyring is refused, because it could not decrypt what is stored.
  keyring_fingerprint bytea,
  -- Whether auth.users is Weir's own. On Supabase it is false, and no function of Weir creates users or signs them in.
  embedded_issuer boolean not null,
  created_at timestamptz not null default now(),
  constraint installation_pkey primary key (only_row),
  constraint installation_has_one_row check (only_row),
  constraint installation_epoch_is_positive check (epoch > 0)
);
alter table weir.installation enable row level security, force row level security;
revoke all on weir.installation from public, anon, authenticated, service_role;
comment on table weir.installation is
  'platform: one row about this database. A restore starts a new epoch; the keyring''s fingerprint is that of the first replica.';

-- Updated by replica_heartbeat and begin_epoch. No other role has a privilege on it.
create policy installation_is_read_by_the_engine on weir.installation for all to weir_system using (true) with check (true);
grant select, update (epoch, keyring_fingerprint) on weir.installation to weir_system;

-- Creates what a plain PostgreSQL lacks, and the one row of weir.installation. Both are in one block, because embedded_issuer depends on
-- whether auth.users existed before.
do $auth$
declare
  v_embedded boolean := to_regclass('auth.users') is null;
begin
  if v_embedded then
    create schema if not exists auth;
    revoke all on schema auth from public;
    grant usage on schema auth to anon, authenticated, weir_system;

    create table auth.users (
      id uuid not null default weir.uuid_v7(),
      -- Null for a person of another issuer. That address is in weir.identities, where it cannot be mistaken for a login here.
      email text,
      email_confirmed_at timestamptz,
      -- Null if the person has no password here and so cannot sign in with one.
      encrypted_password text,
      banned_until timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      constraint users_pkey primary key (id),
      constraint users_email_is_lower_case check (email = lower(email) and email like '%_@_%' and length(email) <= 320)
    );
    alter table auth.users enable row level security, force row level security;
    revoke all on auth.users from public, anon, authenticated, service_role;
    comment on table auth.users is 'user: logins of the embedded issuer; columns have the names of Supabase''s auth.users';
    -- Finds a login by its address (weir.find_login). Each address has one account.
    create unique index users_email_key on auth.users (email);
    -- weir_system signs people in and up, sets passwords, and confirms addresses for the operator. Bans are set by the restore
    -- (weir.revoke_again, run by the owner).
    create policy users_are_read_by_the_issuer on auth.users for all to weir_system using (true) with check (true);
    grant select (id, email, email_confirmed_at, encrypted_password, banned_until, created_at, updated_at),
          insert (id, email, email_confirmed_at, encrypted_password),
          update (email_confirmed_at, encrypted_password, updated_at)
      on auth.users to weir_system;
    -- For weir.confirmed_email, weir.email_of and weir.is_banned, which the migrator owns because on Supabase only the migrator may read
    -- users. The policy is needed because row-level security is forced on the owner too.
    execute format('create policy users_are_read_by_their_owner on auth.users for select to %I using (true)', current_user);

    -- A plain database grants TEMPORARY to everybody, and a temporary object hides a name from a function without a search path. All
    -- functions of Weir have one (decision 0008), and Weir uses no temporary objects, so this is a second line of defense.
    execute format('revoke temporary on database %I from public', current_database());
  end if;

  -- For applications' own policies, which call these as on Supabase. Weir's functions call weir.actor_id().
  if to_regprocedure('auth.jwt()') is null then
    create function auth.jwt() returns jsonb language sql stable
      return nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    revoke all on function auth.jwt() from public;
    grant execute on function auth.jwt() to anon, authenticated;
  end if;
  if to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid language sql stable
      return (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
    revoke all on function auth.uid() from public;
    grant execute on function auth.uid() to anon, authenticated;
  end if;
  if to_regprocedure('auth.role()') is null then
    create function auth.role() returns text language sql stable
      return nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role';
    revoke all on function auth.role() from public;
    grant execute on function auth.role() to anon, authenticated;
  end if;

  -- Row-level security is forced on the migrator too. This policy lets it insert the one row, and is dropped in the same
  -- transaction.
  create policy installation_is_made_once on weir.installation for insert to current_user with check (true);
  insert into weir.installation (embedded_issuer) values (v_embedded);
  drop policy installation_is_made_once on weir.installation;
end
$auth$;
