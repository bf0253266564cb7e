-- People of other issuers. A token's subject means something only together with its issuer: (issuer, subject) is the person,
-- and neither an equal subject nor an equal e-mail address of another issuer ever is. The tokens of the project's own
-- issuer (Supabase's, or the embedded one) name auth.users by their subject, and do not come here.
create table weir.identities (
  issuer text not null,
  subject text not null,
  user_id uuid not null,
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
comment on table weir.identities is 'user: who a subject of another issuer is here';
create index identities_user_id_idx on weir.identities (user_id);
create policy identities_are_kept_by_the_engine on weir.identities for all to weir_system using (true) with check (true);
grant select, insert (issuer, subject, user_id, email, email_verified), update (email, email_verified, updated_at)
  on weir.identities to weir_system;

-- The user behind a verified token of another issuer. Seen for the first time, the person becomes a user only where the
-- operator's setting identity_issuers lists the issuer, and only where the users are ours to make. Null for all else, and for who is banned.
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
  -- two replicas may see one person first at the same time
  perform pg_advisory_xact_lock(hashtextextended(p_issuer || ' ' || p_subject, 440));
  update weir.identities d set email = v_email, email_verified = v_verified, updated_at = now()
  where d.issuer = p_issuer and d.subject = p_subject and (d.email, d.email_verified) is distinct from (v_email, v_verified);
  select d.user_id into v_user_id from weir.identities d where d.issuer = p_issuer and d.subject = p_subject;
  if v_user_id is null
     and exists (select from weir.installation i where i.embedded_issuer)
     and exists (select from weir.settings s where s.name = 'identity_issuers' and jsonb_typeof(s.value) = 'array'
                   and s.value ? p_issuer) then
    v_user_id := weir.uuid_v7();
    -- without the address: it is another issuer's word, and could be somebody else's login here
    insert into auth.users (id) values (v_user_id);
    insert into weir.identities (issuer, subject, user_id, email, email_verified)
    values (p_issuer, p_subject, v_user_id, v_email, v_verified);
  end if;
  return case when not weir.is_banned(v_user_id) then v_user_id end;
end;
$$;

-- The user behind a verified token of the configured issuer, whose keys are published. Where the users are a Supabase project's
-- and the issuer is one of its form, the subject is the user; for every other issuer the pair decides. Null: nobody here, or banned.
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

-- Like weir.confirmed_email the migrator's: Supabase lets nobody else read its users.
create function weir.is_banned(p_user_id uuid) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from auth.users u where u.id = p_user_id and u.banned_until > now());
end;
$$;

revoke all on function weir.resolve_identity(text, text, text, boolean), weir.user_of_token(text, text, text, boolean),
  weir.is_banned(uuid) from public;
grant execute on function weir.resolve_identity(text, text, text, boolean), weir.user_of_token(text, text, text, boolean) to weir_engine;
grant execute on function weir.is_banned(uuid) to weir_system;
grant create on schema weir to weir_system;
alter function weir.resolve_identity(text, text, text, boolean) owner to weir_system;
alter function weir.user_of_token(text, text, text, boolean) owner to weir_system;
revoke create on schema weir from weir_system;
