-- Invitations: by e-mail address, with a token that is shown once to the person who invites and can be used once.

-- Only the token's hash is stored, so nobody can use what this table holds. If the invited address has an account, the token alone is not
-- enough: the issuer must have confirmed the address for the person who accepts. If it has none, the token creates an account
-- (weir.verify_invitation).
create table public.organization_invitations (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  email text not null,
  role text not null,
  token_hash bytea not null,
  -- Null after that member's row was deleted. Then nobody can accept the invitation, because the person who invited must still be permitted
  -- to invite.
  invited_by uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  revoked_at timestamptz,
  constraint organization_invitations_pkey primary key (id),
  constraint organization_invitations_token_hash_key unique (token_hash),
  constraint organization_invitations_role_is_known check (role in ('owner', 'admin', 'member', 'viewer')),
  constraint organization_invitations_email_is_lower_case check (email = lower(email) and length(email) <= 320),
  constraint organization_invitations_token_is_sha256 check (octet_length(token_hash) = 32),
  constraint organization_invitations_accepted_or_revoked check (accepted_at is null or revoked_at is null),
  constraint organization_invitations_organization
    foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- Composite, so that it names a member of this organization; a deletion sets only this column to null.
  constraint organization_invitations_invited_by
    foreign key (organization_id, invited_by) references public.organization_members (organization_id, user_id)
    on delete set null (invited_by)
);
alter table public.organization_invitations enable row level security, force row level security;
revoke all on public.organization_invitations from public, anon, authenticated, service_role;
comment on table public.organization_invitations is 'tenant: people who were invited by e-mail';
create index organization_invitations_invited_by_idx on public.organization_invitations (organization_id, invited_by);
-- One open invitation for each address. Accepted and revoked ones are history. An expired one counts as open here; inviting the address
-- again revokes it first.
create unique index organization_invitations_open_key on public.organization_invitations (organization_id, email)
  where accepted_at is null and revoked_at is null;

-- Admins see invitations without the token's hash, which neither API roles nor the writer may read.
create policy invitations_are_seen_by_admins on public.organization_invitations for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
-- An admin invites in their own name. Only an owner invites an owner, as only an owner makes a member one.
create policy invitations_are_made_by_admins on public.organization_invitations for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and invited_by = (select weir.actor_id())
              and (role <> 'owner' or organization_id = any(array(select weir.my_organizations('owner')))));
-- Revoking is the only change that a person may make to an invitation.
create policy invitations_are_revoked_by_admins on public.organization_invitations for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin')))
         and (role <> 'owner' or organization_id = any(array(select weir.my_organizations('owner')))))
  with check (revoked_at is not null);
-- For weir.accept_invitation: the invited person is not a member yet and sees no row.
create policy invitations_are_accepted_by_the_engine on public.organization_invitations for all to weir_system
  using (true) with check (true);
grant select (id, organization_id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at)
  on public.organization_invitations to authenticated;
grant select (id, organization_id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at),
      insert (id, organization_id, email, role, token_hash, invited_by, expires_at),
      update (revoked_at) on public.organization_invitations to weir_writer;
grant select, update (accepted_at), delete on public.organization_invitations to weir_system;

-- An invitation is accepted or revoked once, and nothing else in it changes, whether a function or direct SQL writes. Otherwise a token
-- that is already out could get another address or role.
create function weir.guard_invitation() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if (old.organization_id, old.email, old.role, old.token_hash, old.expires_at, old.created_at)
     is distinct from (new.organization_id, new.email, new.role, new.token_hash, new.expires_at, new.created_at)
     or (old.accepted_at is not null and new.accepted_at is distinct from old.accepted_at)
     or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
     -- Null: that member's row was deleted.
     or (new.invited_by is not null and new.invited_by is distinct from old.invited_by) then
    raise exception using errcode = 'WR005', message = 'an invitation cannot be changed: revoke it and make a new one';
  end if;
  return new;
end;
$$;

revoke all on function weir.guard_invitation from public;

create trigger a_guard_invitation before update on public.organization_invitations
  for each row execute function weir.guard_invitation();

set local role weir_writer;

-- For admins; only an owner invites an owner; other members get WR003, and outsiders WR004. The caller generates the token at random, and
-- only its hash is stored. If p_expires_at is null, the invitation is valid for 7 days. An address has one open invitation (WR005). An
-- invitation counts towards max_members until it expires, so that the person who accepts can join; the organization's lock makes the count
-- exact. An expired invitation to the address is revoked first, because the unique index of open ones does not know the time. The audit log
-- gets the invitation's id and role, and no address.
create function weir.invite_member(p_organization_id uuid, p_email text, p_role text, p_token text, p_expires_at timestamptz) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_email text;
  v_expires_at timestamptz;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'invite_member', 'admin', 'only an owner or admin invites members', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_email := lower(btrim(left(p_email, 1000)));
  v_expires_at := coalesce(p_expires_at, now() + interval '7 days');
  v_refusal := weir.lock_for(v_act, case
    when v_email is null or length(v_email) > 320 or v_email !~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'
      then 'email must be an e-mail address'
    when p_role is null or p_role not in ('owner', 'admin', 'member', 'viewer') then 'role must be owner, admin, member or viewer'
    when p_token is null or octet_length(p_token) <> 43 or p_token !~ '^[A-Za-z0-9]{43}$' then 'token must be 43 letters and digits'
    when not v_expires_at between now() and now() + interval '30 days' then 'expires_at must be within 30 days' end);
  if v_refusal is not null then
    return v_refusal;
  elsif p_role = 'owner' and not weir.may(v_act, 'owner') then
    return weir.refuse(v_act, 'WR003', 'only an owner invites an owner');
  end if;
  -- An expired invitation to the address must not block the new one.
  update public.organization_invitations i set revoked_at = now()
  where i.organization_id = p_organization_id and i.email = v_email and i.accepted_at is null and i.revoked_at is null
    and i.expires_at <= now();
  if exists (select from public.organization_invitations i where i.organization_id = p_organization_id and i.email = v_email
               and i.accepted_at is null and i.revoked_at is null) then
    return weir.refuse(v_act, 'WR005', 'email has an open invitation: revoke it first');
  elsif weir.count_of('members', p_organization_id)
        >= (select o.max_members from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has reached its limit of members (max_members = '
                         || (select o.max_members from public.organizations o where o.id = p_organization_id) || ')',
                       'Remove a member, revoke an invitation, or ask the operator to raise the limit.');
  end if;
  insert into public.organization_invitations (id, organization_id, email, role, token_hash, invited_by, expires_at)
  values (v_id, p_organization_id, v_email, p_role, sha256(convert_to(p_token, 'UTF8')), weir.actor_id(), v_expires_at);
  perform weir.record_act(v_act, v_id || ' ' || p_role);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'email', v_email, 'role', p_role,
                            'expires_at', v_expires_at, 'link', weir.public_url() || '/#invitation=' || p_token);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_email);
end;
$$;
grant execute on function weir.invite_member to authenticated;

-- For admins; an invitation of an owner is revoked by owners only. Only admins see invitations (policy invitations_are_seen_by_admins), so
-- everybody else gets WR004. The lock orders it with accept_invitation: one of the two comes first. A repeated call leaves no row in the
-- audit log.
create function weir.revoke_invitation(p_invitation_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'revoke_invitation', 'see');
  select i.organization_id into v_act.organization_id from public.organization_invitations i where i.id = p_invitation_id;
  v_refusal := weir.authorize(v_act, 'there is no such invitation');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Read again under the lock: the caller may have lost sight of it.
  select i.organization_id into v_act.organization_id from public.organization_invitations i where i.id = p_invitation_id;
  if v_act.organization_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such invitation');
  elsif exists (select from public.organization_invitations i where i.id = p_invitation_id and i.accepted_at is not null) then
    return weir.refuse(v_act, 'WR005', 'the invitation was accepted');
  end if;
  -- The policy lets only an owner revoke the invitation of an owner.
  update public.organization_invitations i set revoked_at = now() where i.id = p_invitation_id and i.revoked_at is null;
  if found then
    perform weir.record_act(v_act, p_invitation_id::text);
  elsif exists (select from public.organization_invitations i where i.id = p_invitation_id and i.revoked_at is null) then
    return weir.refuse(v_act, 'WR003', 'only an owner revokes the invitation of an owner');
  end if;
  return jsonb_build_object('id', p_invitation_id, 'revoked', true);
end;
$$;
grant execute on function weir.revoke_invitation to authenticated;

reset role;

-- The invitation of a token, if it can be accepted now: it is open, the organization is active, and the person who invited may still invite
-- to that role. A caller that accepts it locks the organization first, so that of two callers with one token the second finds it used.
create function weir.open_invitation(p_token_hash bytea) returns public.organization_invitations
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_invitation public.organization_invitations;
begin
  select i.* into v_invitation
  from public.organization_invitations i
  join public.organizations o on o.id = i.organization_id and o.is_active
  join public.organization_members inviter on inviter.organization_id = i.organization_id and inviter.user_id = i.invited_by
   and inviter.status = 'active' and (inviter.role = 'owner' or inviter.role = 'admin' and i.role <> 'owner')
  where i.token_hash = p_token_hash and i.accepted_at is null and i.revoked_at is null and i.expires_at > clock_timestamp();
  return v_invitation;
end;
$$;

-- Whether the organization is over its max_members when this invitation is accepted. The invitation was counted when it was made; the limit
-- may be lower now.
create function weir.is_full_for(p_invitation public.organization_invitations) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
  return weir.count_of('members', (p_invitation).organization_id)
         > (select o.max_members from public.organizations o where o.id = (p_invitation).organization_id);

-- Accepts an invitation for the person who makes the request, and records it. A member who was removed comes back in the invitation's role.
create function weir.join_by_invitation(p_act weir.act, p_invitation public.organization_invitations) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.organization_invitations i set accepted_at = clock_timestamp() where i.id = p_invitation.id;
  insert into public.organization_members as m (organization_id, user_id, role, status, invited_by)
  values (p_invitation.organization_id, weir.actor_id(), p_invitation.role, 'active', p_invitation.invited_by)
  on conflict (organization_id, user_id) do update
    set role = p_invitation.role, status = 'active', invited_by = p_invitation.invited_by, updated_at = now();
  perform weir.record_act(p_act, p_invitation.id || ' ' || p_invitation.role);
end;
$$;

revoke all on function weir.open_invitation, weir.is_full_for, weir.join_by_invitation from public;
grant execute on function weir.open_invitation, weir.is_full_for, weir.join_by_invitation to weir_system;

set local role weir_system;

-- Whether an account of the embedded issuer has this address without a confirmation. Definer: only the issuer's functions read auth.users.
-- Always false on Supabase, whose users are not read here.
create function weir.is_unconfirmed(p_user_id uuid, p_email text) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    return false;
  end if;
  return exists (select from auth.users u where u.id = p_user_id and u.email = p_email and u.email_confirmed_at is null);
end;
$$;

-- For everybody who is signed in, with the token and the invited address, which their issuer must have confirmed. The person who invited
-- must still be permitted to invite. All failures have one error, so that a token that somebody found reveals nothing. The exception is a
-- person whose own unconfirmed address was invited: they are told that it is unconfirmed and who confirms it. A member who was removed
-- comes back in the invitation's role; one who is suspended stays suspended. Definer: the caller is not a member yet, and row-level
-- security would show them no row.
create function weir.accept_invitation(p_token text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_hash bytea;
  v_invitation public.organization_invitations;
  v_status text;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'accept_invitation', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_token is null or octet_length(p_token) <> 43 or p_token !~ '^[A-Za-z0-9]{43}$' then
    return weir.refuse(v_act, 'WR001', 'token must be 43 letters and digits');
  end if;
  v_hash := sha256(convert_to(p_token, 'UTF8'));
  -- Before the invitation is read: of two callers with one token, the second finds it used.
  perform weir.lock_organization(i.organization_id) from public.organization_invitations i where i.token_hash = v_hash;
  v_invitation := weir.open_invitation(v_hash);
  if weir.is_unconfirmed(v_actor, v_invitation.email) then
    return weir.refuse(v_act, 'WR004', 'the invitation is not valid, because your e-mail address is not confirmed',
                       'Ask the operator to confirm it (confirm_user_email), and accept again.');
  elsif v_invitation.id is null or not (coalesce(v_invitation.email = weir.confirmed_email(v_actor), false)
         or exists (select from weir.identities d where d.user_id = v_actor and d.email = v_invitation.email and d.email_verified)) then
    return weir.refuse(v_act, 'WR004', 'the invitation is not valid',
                       'Sign in with the confirmed e-mail address that was invited, or ask for a new invitation.');
  end if;
  v_act.organization_id := v_invitation.organization_id;
  select m.status into v_status from public.organization_members m
  where m.organization_id = v_invitation.organization_id and m.user_id = v_actor;
  if v_status = 'active' then
    return weir.refuse(v_act, 'WR005', 'you are already a member of the organization');
  elsif v_status = 'suspended' then
    return weir.refuse(v_act, 'WR003', 'your membership is suspended: an admin of the organization reactivates it');
  elsif weir.is_full_for(v_invitation) then
    return weir.refuse(v_act, 'WR006', 'the organization has reached its limit of members (max_members)',
                       'Ask an owner of the organization to remove a member.');
  end if;
  perform weir.join_by_invitation(v_act, v_invitation);
  return jsonb_build_object('organization_id', v_invitation.organization_id, 'role', v_invitation.role);
end;
$$;
grant execute on function weir.accept_invitation to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.invite_member(organization_id uuid, email text, role text, token text, expires_at timestamptz default null)
returns jsonb
language sql volatile begin atomic select weir.invite_member($1, $2, $3, $4, $5); end;
create function public.accept_invitation(token text) returns jsonb
language sql volatile begin atomic select weir.accept_invitation($1); end;
create function public.revoke_invitation(invitation_id uuid) returns jsonb
language sql volatile begin atomic select weir.revoke_invitation($1); end;

revoke all on function public.invite_member, public.accept_invitation, public.revoke_invitation
  from public, anon, authenticated, service_role;
grant execute on function public.invite_member, public.accept_invitation, public.revoke_invitation to authenticated;
