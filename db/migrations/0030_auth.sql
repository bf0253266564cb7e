-- Supabase brings a schema auth with users and the functions that read the token. On a plain PostgreSQL the same names
-- are made here, so that policies, keys and applications are written once. Where auth exists nothing of it is touched.
create table weir.installation (
  only_row boolean not null default true,
  epoch integer not null default 1,
  keyring_fingerprint bytea,
  embedded_issuer boolean not null,
  created_at timestamptz not null default now(),
  constraint installation_pkey primary key (only_row),
  constraint installation_has_one_row check (only_row),
  constraint installation_epoch_is_positive check (epoch > 0)
);
alter table weir.installation enable row level security, force row level security;
revoke all on weir.installation from public, anon, authenticated, service_role;
comment on table weir.installation is
  'platform: one row about this database. A restore starts a new epoch; the keyring''s fingerprint is the first replica''s.';
create policy installation_is_read_by_the_engine on weir.installation for all to weir_system using (true) with check (true);
grant select, update (epoch, keyring_fingerprint) on weir.installation to weir_system;

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
      -- null: a user of another issuer, whose address is on weir.identities
      email text,
      email_confirmed_at timestamptz,
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
    create unique index users_email_key on auth.users (email);
    create policy users_are_read_by_the_issuer on auth.users for all to weir_system using (true) with check (true);
    grant select (id, email, email_confirmed_at, encrypted_password, banned_until), insert (id, email, email_confirmed_at, encrypted_password)
      on auth.users to weir_system;
    -- for weir.confirmed_email: on Supabase, too, only the migrator reads users
    execute format('create policy users_are_read_by_their_owner on auth.users for select to %I using (true)', current_user);

    -- A plain database gives everybody TEMP, and a temporary object hides a name from a function that does not say where to look.
    -- Ours do (0020); nobody needs it all the same.
    execute format('revoke temporary on database %I from public', current_database());
  end if;

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

  -- The one row; the policy that lets the migrator write it lives only for this transaction.
  create policy installation_is_made_once on weir.installation for insert to current_user with check (true);
  insert into weir.installation (embedded_issuer) values (v_embedded);
  drop policy installation_is_made_once on weir.installation;
end
$auth$;
