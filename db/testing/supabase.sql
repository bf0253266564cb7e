-- A database like a new Supabase project's, in everything that Weir uses or must not change: roles, schemas auth and vault, default
-- privileges, and a `postgres` that is not a superuser. For testing the migrations; run by a superuser in an empty database of a cluster of
-- its own (roles belong to the cluster). Facts from supabase/postgres' own migrations.
\set ON_ERROR_STOP on

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
create role supabase_auth_admin nologin noinherit createrole;
create role supabase_admin nologin;
create role postgres login nosuperuser createdb createrole replication bypassrls;
-- PostgreSQL 16 and later: its postgres may grant these to others
grant anon, authenticated, service_role to postgres with admin option;

do $$ begin execute format('alter database %I owner to postgres', current_database()); end $$;

create schema extensions;
grant usage on schema extensions to postgres, anon, authenticated, service_role;
create extension pgcrypto schema extensions;

create schema auth authorization supabase_auth_admin;
grant usage on schema auth to anon, authenticated, service_role, postgres;
set role supabase_auth_admin;
create table auth.users (
  instance_id uuid,
  id uuid not null primary key,
  aud varchar(255),
  role varchar(255),
  email varchar(255),
  email_confirmed_at timestamptz,
  encrypted_password varchar(255),
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_super_admin boolean,
  banned_until timestamptz,
  created_at timestamptz,
  updated_at timestamptz
);
alter table auth.users enable row level security;
grant all on auth.users to postgres;
create function auth.uid() returns uuid language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                  (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid
$$;
create function auth.role() returns text language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
                  (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'))::text
$$;
create function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim', true), ''), nullif(current_setting('request.jwt.claims', true), ''))::jsonb
$$;
reset role;

create schema vault;
grant usage on schema vault to postgres, service_role;
create table vault.secrets (id uuid primary key default gen_random_uuid(), name text, secret text not null);
create view vault.decrypted_secrets as select s.*, s.secret as decrypted_secret from vault.secrets s;
grant select, delete on vault.secrets, vault.decrypted_secrets to postgres, service_role;

-- API roles may use what `postgres` creates in public, unless it is revoked
grant usage on schema public to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on sequences to postgres, anon, authenticated, service_role;
