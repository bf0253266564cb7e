-- People of other issuers, and which e-mail addresses an issuer has confirmed.

-- Which user a subject of another issuer is here. A person is the pair of issuer and subject. The same subject or e-mail address at another
-- issuer is another person.
create table weir.identities (
  issuer text not null,
  subject text not null,
  user_id uuid not null,
  -- What the issuer's last token said. Used to accept invitations, and never to find a person.
  email text,
  email_verified boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint identities_pkey primary key (issuer, subject),
  constraint identities_issuer_is_a_url check (issuer ~ '^https?://[^\s]+$' and length(issuer) <= 2000),
  constraint identities_subject_is_1_to_255_characters check (length(subject) between 1 and 255),
  constraint identities_email_is_lower_case check (email = lower(email) and length(email) <= 320),
  constraint identities_verified_is_an_email check (email is not null or not email_verified),
  constraint identities_user foreign key (user_id) references auth.users (id) on delete cascade
);
alter table weir.identities enable row level security, force row level security;
revoke all on weir.identities from public, anon, authenticated, service_role;
comment on table weir.identities is 'user: which user a subject of another issuer is';
-- For the foreign key, and for weir.accept_invitation.
create index identities_user_id_idx on weir.identities (user_id);

-- A token is resolved before anybody is signed in.
create policy identities_are_kept_by_the_engine on weir.identities for all to weir_system using (true) with check (true);
grant select,
      insert (issuer, subject, user_id, email, email_verified),
      update (email, email_verified, updated_at) on weir.identities to weir_system;

set local role weir_system;

-- The user of a verified token of another issuer. A person who is seen for the first time becomes a user only if the operator's setting
-- identity_issuers lists the issuer and Weir manages the users (the embedded issuer). Otherwise the result is null, as for a person who is
-- banned. The address that the issuer states is stored with the identity. Definer, for the engine only: nobody is signed in yet.
create function weir.resolve_identity(p_issuer text, p_subject text, p_email text, p_email_verified boolean) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id uuid;
  v_email constant text := case when length(p_email) <= 320 then lower(p_email) end;
  v_verified constant boolean := v_email is not null and coalesce(p_email_verified, false);
begin
  if p_issuer is null or length(p_issuer) > 2000 or p_issuer !~ '^https?://[^\s]+$' then
    raise exception using errcode = 'WR001', message = 'issuer must be a URL';
  elsif p_subject is null or length(p_subject) not between 1 and 255 then
    raise exception using errcode = 'WR001', message = 'subject must be 1 to 255 characters';
  end if;
  -- Two replicas may see a person for the first time at the same moment.
  perform pg_advisory_xact_lock(hashtextextended(p_issuer || ' ' || p_subject, 440));
  update weir.identities d set email = v_email, email_verified = v_verified, updated_at = now()
  where d.issuer = p_issuer and d.subject = p_subject and (d.email, d.email_verified) is distinct from (v_email, v_verified);
  select d.user_id into v_user_id from weir.identities d where d.issuer = p_issuer and d.subject = p_subject;
  if v_user_id is null
     and exists (select from weir.installation i where i.embedded_issuer)
     and exists (select from weir.settings s where s.name = 'identity_issuers' and jsonb_typeof(s.value) = 'array'
                   and s.value ? p_issuer) then
    v_user_id := weir.uuid_v7();
    -- Without the address: another issuer stated it, and it could be another person's login here.
    insert into auth.users (id) values (v_user_id);
    insert into weir.identities (issuer, subject, user_id, email, email_verified)
    values (p_issuer, p_subject, v_user_id, v_email, v_verified);
  end if;
  return case when not weir.is_banned(v_user_id) then v_user_id end;
end;
$$;
grant execute on function weir.resolve_identity to weir_engine;

-- The user of a verified token of the configured issuer, whose keys are published. If the users are a Supabase project's and the issuer has
-- the form of one, the subject is the user; for every other issuer the pair of issuer and subject decides. Null if there is no such user,
-- or the user is banned. Definer, for the engine only. A replica keeps the answer for a minute.
create function weir.user_of_token(p_issuer text, p_subject text, p_email text, p_email_verified boolean) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_issuer like 'https://%/auth/v1' and p_subject ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
     and not exists (select from weir.installation i where i.embedded_issuer) then
    return case when not weir.is_banned(p_subject::uuid) then p_subject::uuid end;
  end if;
  return weir.resolve_identity(p_issuer, p_subject, p_email, p_email_verified);
end;
$$;
grant execute on function weir.user_of_token to weir_engine;

reset role;

-- Whether a user is banned. Owned by the migrator, because on Supabase no other role of Weir may read auth.users.
create function weir.is_banned(p_user_id uuid) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from auth.users u where u.id = p_user_id and u.banned_until > now());
end;
$$;

-- A user's e-mail address, if the project's own issuer has confirmed it and the user is not banned. Owned by the migrator, as
-- weir.is_banned.
create function weir.confirmed_email(p_user_id uuid) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select lower(u.email::text) from auth.users u
          where u.id = p_user_id and u.email_confirmed_at is not null and coalesce(u.banned_until <= now(), true));
end;
$$;

-- A user's e-mail address, confirmed or not. Owned by the migrator, as weir.is_banned. Its callers show it to admins of an organization
-- that the user belongs to (weir.list_members).
create function weir.email_of(p_user_id uuid) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select lower(u.email::text) from auth.users u where u.id = p_user_id);
end;
$$;

revoke all on function weir.is_banned, weir.confirmed_email, weir.email_of from public;
grant execute on function weir.is_banned, weir.confirmed_email, weir.email_of to weir_system;
