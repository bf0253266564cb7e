-- Members: invitations, roles, status, leaving and transferring ownership; by actor, and by direct SQL.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- The confirmed address of a kept user, and a token that looks like a random one.
create function pg_temp.email_of(p_name text) returns text language sql as $$ select email from auth.users
  where id = pg_temp.id_of(p_name) $$;
create function pg_temp.invitation_token(p_seed text) returns text language sql as $$ select left(encode(sha256(p_seed::bytea), 'hex'),
  43) $$;
create function pg_temp.invite_member(p_actor text, p_who text, p_role text, p_token text default null, p_organization text default 'a')
returns text language sql as $$
  select pg_temp.error_as(p_actor, format('select invite_member({%s}, %L, %L, %L)', p_organization, pg_temp.email_of(p_who), p_role,
                                         pg_temp.invitation_token(coalesce(p_token, p_who))));
$$;
create function pg_temp.accept_invitation(p_actor text, p_token text default null) returns text language sql as $$
  select pg_temp.error_as(p_actor, format('select accept_invitation(%L)', pg_temp.invitation_token(coalesce(p_token, p_actor))));
$$;
create function pg_temp.role_and_status(p_name text, p_organization text default 'a') returns text language sql as $$
  select concat_ws(' ', m.role, m.status) from organization_members m
  where m.organization_id = pg_temp.id_of(p_organization) and m.user_id = pg_temp.id_of(p_name);
$$;
update auth.users set email_confirmed_at = now();

-- Who may invite whom
select is(pg_temp.invite_member('ann', 'otto', 'member'), 'ok', 'an owner invites a member');
select is(pg_temp.as_user('adam', $$select email from organization_invitations$$), pg_temp.email_of('otto'),
  'an admin sees whom an owner invited');
select is(pg_temp.as_user('adam', $$select token_hash from organization_invitations$$), '42501',
  'an admin cannot read the hash of an invitation''s token');
select is(pg_temp.as_user(w, $$select count(*) from organization_invitations$$), '0', format('%s sees no invitation', w))
from unnest(array['mia', 'vic', 'sam', 'bob', 'otto']) w;
select is(pg_temp.invite_member('adam', 'otto', 'admin', 'again'), 'WR005', 'a second open invitation for an address is a conflict');
select is(pg_temp.error_as('adam', format('select invite_member({a}, %L, ''viewer'', %L)', ' ' || upper(pg_temp.email_of('otto')) || ' ',
  pg_temp.invitation_token('upper'))), 'WR005', 'a second open invitation for an address in another case is a conflict');
select is(pg_temp.invite_member('adam', 'bob', 'owner'), 'WR003', 'an admin invites no owner');
select is(pg_temp.invite_member('ann', 'bob', 'owner', 'bob as owner'), 'ok', 'an owner invites an owner');
select is(pg_temp.invite_member(w, 'bob', 'viewer', w), r, format('%s invites nobody', w))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select invite_member({a}, 'x@example.org', 'member', repeat('x', 43))$$), '42501',
  format('%s does not execute invite_member', w))
from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.invite_member('ann', 'otto', 'member', 'elsewhere', 'b'), 'WR004', 'an owner invites nobody into another organization');
select is(pg_temp.error_as('ann', format('select invite_member({a}, %s)', a)) || ' '
  || (pg_temp.as_user('ann', format('select invite_member({a}, %s) ->> ''message''', a)) ~ ('^' || w || ' '))::text, 'WR001 true',
  format('a bad %s of an invitation is refused by its name: %s', w, left(a, 60)))
from (values
  ('email', $$null, 'member', repeat('x', 43)$$), ('email', $$'', 'member', repeat('x', 43)$$),
    ('email', $$'x', 'member', repeat('x', 43)$$),
  ('email', $$'a@b@c', 'member', repeat('x', 43)$$), ('email', $$e'a\n@b.c', 'member', repeat('x', 43)$$),
  ('email', $$repeat('x', 1000000) || '@x', 'member', repeat('x', 43)$$),
  ('role', $$'x@y.z', null, repeat('x', 43)$$), ('role', $$'x@y.z', 'root', repeat('x', 43)$$),
  ('token', $$'x@y.z', 'member', null$$), ('token', $$'x@y.z', 'member', 'short'$$), ('token', $$'x@y.z', 'member', repeat('x', 44)$$),
  ('expires_at', $$'x@y.z', 'member', repeat('x', 43), now() - interval '1 second'$$),
  ('expires_at', $$'x@y.z', 'member', repeat('x', 43), 'infinity'$$)) t(w, a);
select is(pg_temp.as_user('owner', $$select count(*) from organization_invitations$$), '2', 'refused invitations write nothing');

-- Accepting
select is(pg_temp.accept_invitation(w, 'otto'), 'WR004', format('%s does not join with the token of an invitation of another address', w))
  from unnest(array['bob', 'mel', 'sam']) w;
select is(pg_temp.accept_invitation('otto', 'no such token'), 'WR004', 'an unknown token is not accepted');
select is(pg_temp.error_as('otto', format('select accept_invitation(%L)', t)), 'WR001',
  format('this is refused as a token: %s', coalesce(left(t, 9), 'null')))
from unnest(array[null, '', 'x', repeat('x', 1000000), repeat('''', 43)]) t;
savepoint s;
update auth.users set email_confirmed_at = null where id = pg_temp.id_of('otto');
select is(pg_temp.accept_invitation('otto'), 'WR004', 'a user whose address is not confirmed does not join');
rollback to s;
update auth.users set banned_until = now() + interval '1 day' where id = pg_temp.id_of('otto');
select is(pg_temp.accept_invitation('otto'), 'WR004', 'a banned user does not join');
rollback to s;
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.accept_invitation('otto'), 'WR004', 'no person joins an inactive organization');
rollback to s;
update organization_members set status = 'suspended' where user_id = pg_temp.id_of('adam');
select pg_temp.as_user('ann', format('select revoke_invitation(%L)', (select id from organization_invitations where role = 'member'))),
       pg_temp.as_user('ann', $$select set_member_status({a}, {adam}, 'active')$$),
         pg_temp.invite_member('adam', 'otto', 'admin', 'of adam') \g /dev/null
update organization_members set role = 'member' where user_id = pg_temp.id_of('adam');
select is(pg_temp.accept_invitation('otto', 'of adam'), 'WR004', 'an invitation of an admin who lost the role is not accepted');
select is(pg_temp.accept_invitation('otto'), 'WR004', 'a revoked invitation is not accepted');
rollback to s;
select is(pg_temp.accept_invitation('otto'), 'ok', 'an invited user joins');
select is(pg_temp.role_and_status('otto'), 'member active', 'an invited user has the role of the invitation');
select is(pg_temp.accept_invitation('otto'), 'WR004', 'an invitation is accepted once');
select is(pg_temp.as_user('otto', 'select count(*) from organizations'), '1', 'a user who joined sees the organization');
select is(pg_temp.error_as('ann', format('select revoke_invitation(%L)', (select id from organization_invitations where role = 'member'))),
  'WR005', 'an accepted invitation is not revoked');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where organization_id = {a} and user_id = {otto}
  and item = 'accept_invitation' and decision = 'allowed'$$), '1', 'an accepted invitation is in the audit log');
select is(pg_temp.invite_member('ann', 'otto', 'viewer', 'twice'), 'ok', 'the address of a member may be invited');
select is(pg_temp.accept_invitation('otto', 'twice'), 'WR005', 'a member does not accept an invitation again');
select is(pg_temp.invite_member('ann', 'sam', 'owner'), 'ok', 'the address of a suspended member may be invited');
select is(pg_temp.accept_invitation('sam'), 'WR003', 'a suspended member does not accept an invitation');

-- The person who invited is not active here, but an owner elsewhere
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mel');
select pg_temp.create_user('zoe') \g /dev/null
update auth.users set email_confirmed_at = now();
select is(pg_temp.invite_member('mel', 'zoe', 'member', 'of mel'), 'ok', 'an admin who is a member of another organization invites');
update organization_members set status = 'suspended' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mel');
update organization_members set role = 'owner' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.accept_invitation('zoe', 'of mel'), 'WR004',
  'M3_an_invitation_of_a_person_suspended_in_a_is_not_accepted_though_they_own_b');
rollback to s;

-- An admin of a and b who loses the role in a while waiting for a's lock
savepoint s;
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select pg_temp.when_lock_is_taken($$update public.organization_members set role = 'member' where organization_id = {a}
  and user_id = {mel}$$) \g /dev/null
select is(pg_temp.error_as('mel', $$select set_member_role({a}, {vic}, 'admin')$$), 'WR003',
  'A16_an_admin_who_lost_the_role_while_waiting_for_the_lock_changes_no_role');
select is(pg_temp.error_as('mel', $$select set_member_role({a}, {nobody}, 'admin')$$), 'WR003',
  'A16_an_admin_who_lost_the_role_while_waiting_for_the_lock_does_not_learn_who_is_a_member');
rollback to s;

-- An invitation expires by the clock, even if nothing has read it
select is(pg_temp.error_as('ann', format($$select invite_member({a}, 'late@example.org', 'member', %L, now() + interval '1 hour')$$,
  pg_temp.invitation_token('late'))), 'ok', 'an invitation may be valid for an hour');
select throws_ok($$update organization_invitations set expires_at = 'infinity' where email = 'late@example.org'$$, 'WR005', null,
  'an invitation is not prolonged by direct SQL');
select throws_ok($$update organization_invitations set role = 'owner' where email = 'late@example.org'$$, 'WR005', null,
  'the role of an invitation is not changed by direct SQL');
select throws_ok($$update organization_invitations set accepted_at = null where accepted_at is not null$$, 'WR005', null,
  'an accepted invitation is not opened again by direct SQL');
select case when (select rolsuper from pg_roles where rolname = current_user) then lives_ok($$
  set local session_replication_role = replica;
  update organization_invitations set expires_at = now() - interval '1 second' where email = 'late@example.org';
  set local session_replication_role = origin$$, 'an invitation''s hour is over') else pass('the migrator cannot end an invitation''s hour')
    end;
select is(pg_temp.error_as('adam',
  format($$select invite_member({a}, 'late@example.org', 'viewer', %L)$$, pg_temp.invitation_token('later'))),
  case when (select rolsuper from pg_roles where rolname = current_user) then 'ok' else 'WR005' end,
    'an address whose invitation has expired may be invited again');

savepoint s;
select pg_temp.invite_member('ann', 'bob', 'member', 'too late'),
  pg_temp.as_user('ann', format('select revoke_invitation(%L)', (select id from organization_invitations
  where role = 'owner' and revoked_at is null and email = pg_temp.email_of('bob')))),
    pg_temp.invite_member('ann', 'bob', 'member', 'too late') \g /dev/null
select case when (select rolsuper from pg_roles where rolname = current_user) then lives_ok($$
  set local session_replication_role = replica;
  update organization_invitations set expires_at = now() where token_hash = sha256(pg_temp.invitation_token('too late')::bytea);
  set local session_replication_role = origin$$, 'an invitation''s time is over') else pass('the migrator cannot end an invitation''s time')
    end;
select is(pg_temp.accept_invitation('bob', 'too late'),
  case when (select rolsuper from pg_roles where rolname = current_user) then 'WR004' else 'ok' end,
  'an expired invitation is not accepted');
rollback to s;

-- Revoking
select pg_temp.keep_id('asowner', (select id from organization_invitations where role = 'owner' and email = pg_temp.email_of('bob')))
  \g /dev/null
select is(pg_temp.error_as(w, 'select revoke_invitation({asowner})'), r, format('%s does not revoke an owner''s invitation of an owner', w))
from (values ('adam', 'WR003'), ('mia', 'WR004'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004')) t(w, r);
select is(pg_temp.error_as('ann', 'select revoke_invitation({asowner})'), 'ok', 'an owner revokes an invitation');
select is(pg_temp.error_as('ann', 'select revoke_invitation({asowner})'), 'ok', 'revoking a revoked invitation changes nothing');
select is(pg_temp.error_as('ann', 'select revoke_invitation(null)'), 'WR004', 'null is refused as an invitation');
select is(pg_temp.accept_invitation('bob', 'bob as owner'), 'WR004', 'an invitation that an owner revoked is not accepted');

-- The quota counts invitations too
savepoint s;
update organizations o set max_members = weir.count_of('members', o.id) + 1 where id = pg_temp.id_of('a');
select is(pg_temp.error_as('ann', format($$select invite_member({a}, 'one@example.org', 'member', %L)$$, pg_temp.invitation_token('one'))),
  'ok', 'M12_an_invitation_counts_toward_the_quota_of_members');
select is(pg_temp.error_as('ann', format($$select invite_member({a}, 'two@example.org', 'member', %L)$$, pg_temp.invitation_token('two'))),
  'WR006',
  'M12_an_invitation_beyond_the_quota_of_members_is_refused');
rollback to s;
select is(weir.count_of(w, pg_temp.id_of('b'))::integer, n, 'M12_an_organization_counts_only_its_own_' || w)
from (values ('members', 2), ('agents', 1), ('workspaces', 1), ('mcp_servers', 1)) t(w, n);
update organizations o set max_agents = weir.count_of('agents', o.id),
  max_workspaces = weir.count_of('workspaces', o.id) where id = pg_temp.id_of('a');
select is(pg_temp.error_as('ann', $$select create_agent({a}, 'More')$$), 'WR006', 'M12_an_agent_beyond_the_quota_of_agents_is_refused');
select is(pg_temp.error_as('ann', $$select create_workspace({a}, 'More')$$), 'WR006',
  'M12_a_workspace_beyond_the_quota_of_workspaces_is_refused');
rollback to s;
select is(pg_temp.invite_member('ann', 'bob', 'member', 'full'), 'ok', 'an invitation is made before the quota is lowered');
update organizations o set max_members = 3 where id = pg_temp.id_of('a');
select is(pg_temp.accept_invitation('bob', 'full'), 'WR006', 'M12_an_invited_user_does_not_join_beyond_a_lowered_quota');
rollback to s;

-- Roles
select is(pg_temp.error_as(w, format('select set_member_role({a}, {vic}, %L)', 'admin')), r, format('%s changes no role', w))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select set_member_role({a}, {vic}, 'admin')$$), '42501', format('%s does not execute set_member_role', w))
from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.error_as('adam', $$select set_member_role({a}, {vic}, 'admin')$$), 'ok', 'an admin makes a viewer an admin');
select is(pg_temp.role_and_status('vic'), 'admin active', 'a viewer who was made an admin is one');
select is(pg_temp.error_as('adam', $$select set_member_role({a}, {mia}, 'owner')$$), 'WR003', 'an admin makes nobody an owner');
select is(pg_temp.error_as('adam', $$select set_member_role({a}, {ann}, 'member')$$), 'WR003', 'an admin does not change an owner''s role');
select is(pg_temp.error_as('adam', $$select set_member_status({a}, {ann}, 'removed')$$), 'WR003', 'an admin does not remove an owner');
select is(pg_temp.error_as('ann', $$select set_member_role({a}, {bob}, 'member')$$), 'WR004',
  'an owner changes no role of a person of another organization');
select is(pg_temp.error_as('ann', $$select set_member_role({a}, null, 'member')$$), 'WR004',
  'null is refused as a person whose role is changed');
select is(pg_temp.error_as('ann', $$select set_member_role({b}, {bob}, 'member')$$), 'WR004',
  'an owner changes no role in another organization');
select is(pg_temp.as_user('ann', format('select set_member_role({a}, {vic}, %L) ->> ''message''', r)) ~ '^role ', true,
  'an unknown role is refused by its name: ' || coalesce(left(r, 10), 'null'))
from unnest(array[null, '', 'Owner', 'root', repeat('x', 1000000)]) r;
select is(pg_temp.error_as('ann', $$select set_member_role({a}, {sam}, 'owner')$$), 'WR005', 'a suspended member is not made an owner');
select is(pg_temp.error_as('ann', $$select set_member_role({a}, {vic}, 'viewer')$$), 'ok', 'an owner makes an admin a viewer');

-- Status
select is(pg_temp.error_as('adam', $$select set_member_status({a}, {mia}, 'suspended')$$), 'ok', 'an admin suspends a member');
select is(pg_temp.as_user('mia', 'select count(*) from organizations'), '0', 'M3_a_suspended_member_sees_nothing');
select is(pg_temp.admit_call('list_directory'), 'member_inactive', 'V7_an_agent_whose_owner_was_suspended_is_denied');
select is(pg_temp.error_as('mia', $$select set_member_status({a}, {mia}, 'active')$$), 'WR004',
  'M3_a_suspended_member_does_not_reactivate_themselves');
select is(pg_temp.error_as('adam', $$select set_member_status({a}, {mia}, 'active')$$), 'ok', 'an admin reactivates a suspended member');
select is(pg_temp.admit_call('list_directory'), 'admitted', 'V7_an_agent_whose_owner_was_reactivated_is_admitted');
select is(pg_temp.as_user('ann', format('select set_member_status({a}, {vic}, %L) ->> ''message''', r)) ~ '^status ', true,
  'an unknown status is refused by its name: ' || coalesce(left(r, 10), 'null'))
from unnest(array[null, '', 'invited', 'Active']) r;
select is(pg_temp.error_as(w, $$select set_member_status({a}, {mel}, 'suspended')$$), r, format('%s suspends nobody', w))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004')) t(w, r);
select is(pg_temp.error_as('adam', $$select set_member_status({a}, {mia}, 'removed')$$), 'ok', 'an admin removes a member');
select is(pg_temp.as_user('owner', $$select count(*) from workspace_members where user_id = {mia}$$), '0',
  'a removed member is no longer in a workspace');
select is(pg_temp.as_user('owner',
  $$select count(*) from agent_api_keys k join agents a on a.id = k.agent_id where a.user_id = {mia} and k.revoked_at is null$$),
  '0', 'A16_the_keys_of_a_removed_member_s_agents_are_revoked');
select is(pg_temp.error_as('adam', $$select set_member_status({a}, {mia}, 'active')$$), 'WR004',
  'a removed member is not reactivated by an admin');
select is(pg_temp.invite_member('adam', 'mia', 'viewer', 'back'), 'ok', 'a removed member is invited again');
select is(pg_temp.accept_invitation('mia', 'back'), 'ok', 'a removed member accepts an invitation');
select is(pg_temp.role_and_status('mia') || ' ' || pg_temp.as_user('mia', 'select count(*) from workspaces'), 'viewer active 0',
  'a removed member who joined again has the invitation''s role and no former workspaces');

-- A member of two organizations has in each only the role that they have there
savepoint s;
update organization_members set role = 'owner' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.error_as('mel', q), 'WR003', 'V8_an_owner_of_b_who_is_a_member_in_a_may_not: ' || q)
from unnest(array[$$select set_member_role({a}, {vic}, 'admin')$$, $$select set_member_status({a}, {vic}, 'suspended')$$,
  -- such a caller does not learn what else is wrong
  $$select invite_member({a}, '', 'member', '')$$]) q;
update organization_members set role = 'owner' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('adam');
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mel');
insert into organization_invitations (organization_id, email, role, token_hash, expires_at)
values (pg_temp.id_of('b'), 'past@example.org', 'member', sha256('past'), now() - interval '1 day');
select is(pg_temp.error_as('mel',
  format($$select invite_member({%s}, 'both@example.org', 'member', %L)$$, o, pg_temp.invitation_token('both ' || o))), 'ok',
  'an admin of both invites an address into ' || o) from unnest(array['b', 'a']) o;
select is(pg_temp.error_as('mel', $$select invite_member({a}, 'both@example.org', 'owner', repeat('o', 43))$$), 'WR003',
  'V8_an_admin_of_both_invites_no_owner_into_a');
select is(pg_temp.error_as('mel', $$select invite_member({a}, 'past@example.org', 'member', repeat('p', 43))$$), 'ok',
  'an address whose invitation into another organization has expired is invited');
select is(pg_temp.as_user('owner',
  $$select revoked_at from organization_invitations where email = 'past@example.org' and organization_id = {b}$$), null,
  'V8_inviting_an_address_does_not_revoke_its_expired_invitation_into_another_organization');
select is(pg_temp.error_as('mel', $$select set_member_role({a}, {adam}, 'member')$$), 'WR003',
  'V8_an_admin_of_both_does_not_change_an_owner_of_a');
update organization_members set role = 'owner' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mel');
insert into organization_members (organization_id, user_id, role, status)
  values (pg_temp.id_of('b'), pg_temp.id_of('otto'), 'member', 'active'),
  (pg_temp.id_of('b'), pg_temp.id_of('adam'), 'member', 'active');
delete from organization_members where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('otto');
insert into workspace_members (organization_id, workspace_id, user_id)
  values (pg_temp.id_of('b'), pg_temp.id_of('den'), pg_temp.id_of('adam'));
select is(pg_temp.error_as('mel', $$select set_member_role({a}, {otto}, 'viewer')$$), 'WR004',
  'V8_an_owner_of_both_changes_no_role_in_a_of_a_member_of_b');
select is(pg_temp.error_as('mel', $$select set_member_role({a}, {adam}, 'admin')$$), 'ok', 'an owner of both changes a member of both');
select is(pg_temp.role_and_status('adam', 'b'), 'member active',
  'V8_an_owner_of_both_changes_a_role_only_in_the_organization_that_they_named');
select is(pg_temp.error_as('mel', $$select set_member_status({a}, {adam}, 'removed')$$), 'ok',
  'an owner of both removes a member of both from one');
select is(pg_temp.as_user('owner', 'select count(*) from workspace_members where user_id = {adam}'), '1',
  'V8_a_member_removed_from_a_stays_in_a_workspace_of_b');
select pg_temp.as_user('mel', $$select set_member_role({a}, {ann}, 'admin')$$) \g /dev/null
select is(pg_temp.error_as('mel', 'select leave_organization({a})'), 'WR005',
  'V8_the_last_owner_of_a_does_not_leave_though_b_has_two_owners');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where organization_id = {a} and user_id = {mel} and item = 'leave_organization'
  and decision = 'denied'$$), '1', 'M14_the_denied_leaving_of_a_last_owner_is_in_the_audit_log');
rollback to s;

-- The last owner
select is(pg_temp.error_as('ann', q), 'WR005', 'the last owner is refused: ' || q) from unnest(array['select leave_organization({a})',
  $$select set_member_role({a}, {ann}, 'admin')$$, $$select set_member_status({a}, {ann}, 'suspended')$$,
  $$select set_member_status({a}, {ann}, 'removed')$$]) q;
select throws_ok(pg_temp.with_ids(q), 'WR005', null, 'direct SQL does not remove the last owner: ' || q) from unnest(array[
  $$update organization_members set role = 'admin' where user_id = {ann}$$,
  $$update organization_members set status = 'suspended' where user_id = {ann}$$,
  $$delete from organization_members where user_id = {ann}$$, $$delete from organization_members where organization_id = {a}$$,
  $$delete from auth.users where id = {ann}$$]) q;
savepoint s;
select pg_temp.create_as('c', 'vic', $$select create_organization('Organization C')$$) \g /dev/null
select throws_ok(pg_temp.with_ids('update organization_members set organization_id = {b} where organization_id = {c}'), 'WR005', null,
  'the last owner is not moved to another organization by direct SQL');
rollback to s;
select is(pg_temp.error_as('ann', $$select set_member_role({a}, {adam}, 'owner')$$), 'ok', 'an owner makes an admin an owner');
select throws_ok(pg_temp.with_ids($$update organization_members set status = 'removed' where organization_id = {a}$$), 'WR005', null,
  'all owners are not removed in one statement by direct SQL');
select is(pg_temp.error_as('ann', 'select leave_organization({a})'), 'ok', 'one of two owners leaves');
select is(pg_temp.as_user('ann', 'select count(*) from organizations'), '0', 'an owner who left does not see the organization');
select is(pg_temp.error_as('ann', 'select leave_organization({a})'), 'WR004', 'an owner who left does not leave again');
select is(pg_temp.error_as('adam', 'select leave_organization({a})'), 'WR005', 'the last of two owners does not leave');
select is(pg_temp.error_as('otto', 'select leave_organization({a})'), 'ok', 'a member leaves');
select is(pg_temp.error_as('mia', 'select leave_organization({a})'), 'ok', 'a viewer leaves');
select is(pg_temp.error_as(w, 'select leave_organization({a})'), 'WR004', format('%s, who is no active member, does not leave', w))
  from unnest(array['sam', 'bob']) w;
select is(pg_temp.error_as('adam', 'select leave_organization(null)'), 'WR004', 'null is refused as an organization');

-- Transferring ownership
select is(pg_temp.error_as(w, 'select transfer_ownership({a}, {mel})'), r, format('%s transfers no ownership', w))
from (values ('mel', 'WR001'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004')) t(w, r);
select is(pg_temp.error_as('adam', format('select transfer_ownership({a}, %s)', u)), r,
  format('an owner transfers no ownership to %s: %s', u, r))
from (values ('{bob}', 'WR004'), ('{sam}', 'WR005'), ('null', 'WR004'), ('{adam}', 'WR001'), ('{nobody}', 'WR004')) t(u, r);
select is(pg_temp.role_and_status('adam'), 'owner active', 'an owner whose transfer was refused is still an owner');
select is(pg_temp.error_as('adam', 'select transfer_ownership({a}, {mel})'), 'ok', 'an owner transfers ownership to a member');
select is(pg_temp.role_and_status('mel') || ', ' || pg_temp.role_and_status('adam'), 'owner active, admin active',
  'after a transfer the member is the owner and the former owner an admin');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where organization_id = {a} and item = 'transfer_ownership'
  and decision = 'allowed'$$), '2', 'both changes of a transfer are in the audit log');
select lives_ok(pg_temp.with_ids('delete from organizations where id = {a}'), 'an organization with an owner is deleted by direct SQL');
select * from finish();
rollback;
