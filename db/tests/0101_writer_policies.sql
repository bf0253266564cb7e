-- What row-level security permits weir_writer with a person's claims, inside the writing functions. The functions check first and return
-- typed errors. These policies apply if a function forgets to check.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- Runs a statement as weir_writer for a person. Returns its first value, or the SQLSTATE that it raised.
create function pg_temp.as_writer(p_actor text, p_sql text) returns text language sql as $$
  select pg_temp.as_user('writer:' || p_actor, p_sql);
$$;
create function pg_temp.insert_grant_sql(p_granted_by text, p_organization text default 'a',
  p_agent text default 'robo') returns text language sql as $$
  select format('insert into public.agent_mcp_permissions
    (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by, granted_by_id)
    values ({%s}, {%s}, {files}, ''{}'', {%s}, {%s})', p_organization, p_agent, p_granted_by, p_granted_by);
$$;

-- Grants
select is(pg_temp.as_writer('mia', pg_temp.insert_grant_sql('mia')), '42501', 'T1_the_writer_inserts_no_grant_for_a_member');
select is(pg_temp.as_writer('vic', pg_temp.insert_grant_sql('vic')), '42501', 'T1_the_writer_inserts_no_grant_for_a_viewer');
select is(pg_temp.as_writer('sam', pg_temp.insert_grant_sql('sam')), '42501', 'M3_the_writer_inserts_no_grant_for_a_suspended_admin');
select is(pg_temp.as_writer('bob', pg_temp.insert_grant_sql('bob')), '42501',
  'T3_the_writer_inserts_no_grant_for_an_owner_of_another_organization');
select is(pg_temp.as_writer('adam', pg_temp.insert_grant_sql('ann')), '42501',
  'T2_the_writer_inserts_no_grant_of_an_admin_in_another_s_name');
select is(pg_temp.as_writer('adam', pg_temp.insert_grant_sql('adam')), '23505',
  'a grant of an admin passes the policy and conflicts with the active grant');
select is(pg_temp.as_writer('mia', $$update public.agent_mcp_permissions set revoked_by = {mia} where id = {grant}$$), '42501',
  'T4_an_agent_s_owner_does_not_change_who_revoked_an_active_grant');
select is(pg_temp.as_writer('mia', $$update public.agent_mcp_permissions set revoked_at = now(), revoked_by = {ann} where id = {grant}$$),
  '42501',
  'T2_an_agent_s_owner_does_not_revoke_in_another_s_name');
select is(pg_temp.as_writer('mia', $$update public.agent_mcp_permissions set permissions = '{"tools": {"*": {}}}' where id = {grant}$$),
  '42501',
  'T4_an_agent_s_owner_does_not_widen_a_grant');
select is(pg_temp.as_writer('mel',
  $$update public.agent_mcp_permissions set revoked_at = now(), revoked_by = {mel} where id = {grant} returning id$$), null,
  'a member who does not own the agent revokes no grant');
select is(pg_temp.as_writer('mel', $$select count(*) from public.agent_mcp_permissions$$), '0',
  'a member who does not own the agent sees no grant');
select is(pg_temp.as_writer('ann', $$delete from public.agent_mcp_permissions$$), '42501', 'T8_an_owner_deletes_no_grant');

-- Members and organizations
select is(pg_temp.as_writer(w,
  $$insert into public.organization_members (organization_id, user_id, role, status) values ({a}, {otto}, 'owner', 'active')$$), '42501',
  format('the writer inserts no owner of the organization for %s', w)) from unnest(array['mia', 'vic', 'sam', 'bob', 'otto']) w;
select is(pg_temp.as_writer('otto',
  $$insert into public.organizations (id, name, slug, created_by) values ({nobody}, 'x', 'x-x', {ann})$$), '42501',
  'the writer creates no organization in another''s name');
select is(pg_temp.as_writer('ann', $$update public.organizations set platform_stopped_at = null where id = {a}$$), '42501',
  'an owner does not switch an organization on');
select is(pg_temp.as_writer('ann', $$insert into public.organization_members (organization_id, user_id, role, status)
  values ({a}, {otto}, 'member', 'active')$$), '42501', 'an owner inserts no membership of another person');
select is(pg_temp.as_writer(w, $$update public.organization_members set role = 'admin' where organization_id = {a} returning 1$$), r,
  format('the writer changes no role for %s', w))
    from (values ('mia', '42501'), ('vic', '42501'), ('sam', null), ('bob', null), ('otto', null)) t(w, r);
select is(pg_temp.as_writer('adam', $$update public.organization_members set role = 'owner' where user_id = {mia} returning 1$$), '42501',
  'the writer makes nobody an owner for an admin');
select is(pg_temp.as_writer('adam', $$update public.organization_members set role = 'member' where user_id = {ann} returning 1$$), null,
  'the writer changes no owner for an admin');
select is(pg_temp.as_writer('mia', $$update public.organization_members set status = 'suspended' where user_id = {mia} returning 1$$),
  '42501',
  'a member does not suspend themselves');
select is(pg_temp.as_writer('mia', $$update public.organization_members set status = 'removed' where user_id = {mia}
  and organization_id = {a} returning status$$), 'removed', 'a member removes themselves');
select is(pg_temp.as_writer('ann', $$delete from public.organization_members returning 1$$), '42501', 'an owner deletes no membership');
select is(pg_temp.as_writer('adam',
  format($$insert into public.organization_invitations (id, organization_id, email, role, token_hash, invited_by,
  expires_at) values ({nobody}, %s, 'x@example.org', %L, sha256('x'), %s, now() + interval '1 day')$$, o, r, i)), '42501',
  format('the writer inserts no invitation of an admin for the role %s in %s by %s', r, o, i))
from (values ('{a}', 'owner', '{adam}'), ('{b}', 'member', '{adam}'), ('{a}', 'member', '{ann}')) t(o, r, i);
select is(pg_temp.as_writer('mia', $$insert into public.organization_invitations (id, organization_id, email, role, token_hash, invited_by,
  expires_at) values ({nobody}, {a}, 'x@example.org', 'member', sha256('x'), {mia}, now() + interval '1 day')$$), '42501',
    'the writer inserts no invitation for a member');
select is(pg_temp.as_writer('adam', $$insert into public.organization_invitations (id, organization_id, email, role, token_hash, invited_by,
  expires_at) values ({nobody}, {a}, 'y@example.org', 'member', sha256('y'), {adam}, now() + interval '1 day') returning role$$), 'member',
    'the writer inserts an invitation for an admin');
select is(pg_temp.as_writer('ann', $$select token_hash from public.organization_invitations$$), '42501',
  'the writer cannot read the hash of an invitation''s token');

-- A statement without a condition reads nothing, so the policies for reading do not stop it. as_user needs an answer, and returning one
-- would read.
create function pg_temp.run_as_writer(p_actor text, p_sql text) returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id_of(p_actor))::text, true),
          set_config('role', 'weir_writer', true);
  execute p_sql;
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
end;
$$;
savepoint s;
select pg_temp.run_as_writer(w, 'delete from public.workspace_members') from unnest(array['vic', 'sam', 'bob', 'otto']) w \g /dev/null
select is(pg_temp.as_user('owner', 'select count(*) from workspace_members where organization_id = {a}'), '3',
  'a statement without a condition deletes no workspace member for a person without the permission');
rollback to s;
select pg_temp.as_user('ann', $$select create_organization_api_key({a}, 'k', 'orgkey0000000001', repeat('k', 43), '{audit.read}')$$),
       pg_temp.as_user('mia', $$select create_user_ssh_key('k',
         'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw')$$),
       pg_temp.as_user('ann', $$select manage_mcp_servers('update', {a}, '{"priority": 1, "idempotency_key": "k"}', {files})$$) \g /dev/null
select pg_temp.run_as_writer(w, format('update public.organization_api_keys set revoked_at = now(), revoked_by = %L', pg_temp.id_of(w))),
       pg_temp.run_as_writer(w, 'delete from public.user_ssh_keys') from unnest(array['vic', 'sam', 'bob', 'otto']) w \g /dev/null
select is(pg_temp.as_user('owner', 'select count(*) from organization_api_keys where revoked_at is null'), '1',
  'a statement without a condition revokes no organization key for a person without the permission');
select is(pg_temp.as_user('owner', 'select count(*) from user_ssh_keys'), '1',
  'a statement without a condition deletes no SSH key of another person');
update organization_members set status = 'active' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mia');
select pg_temp.create_as('invitation', 'ann', $$select invite_member({a}, 'x@example.org', 'owner', repeat('x', 43))$$),
       pg_temp.create_as('request', 'mia', $$select request_mcp_access({robo}, {files}, '{"tools": {"*": {}}}')$$),
       pg_temp.as_user('mia', $$select set_user_profile('Mia')$$), pg_temp.as_user('bob', $$select set_user_profile('Bob')$$) \g /dev/null
select pg_temp.run_as_writer(w, format('update public.agent_api_keys set revoked_at = now(), revoked_by = %L', pg_temp.id_of(w))),
       pg_temp.run_as_writer(w, format('update public.agent_mcp_permissions set revoked_at = now(), revoked_by = %L', pg_temp.id_of(w))),
       pg_temp.run_as_writer(w, 'update public.organization_invitations set revoked_at = now()'),
       pg_temp.run_as_writer(w, format($$update public.permission_requests set status = 'withdrawn', decided_by = %L, decided_at = now()$$,
         pg_temp.id_of(w))),
       pg_temp.run_as_writer(w, 'update public.mcp_server_instances set priority = 7'),
       pg_temp.run_as_writer(w, $$update public.user_profiles set display_name = 'x'$$)
from unnest(array['mel', 'vic', 'sam', 'otto']) w \g /dev/null
select pg_temp.run_as_writer('adam', 'update public.organization_invitations set revoked_at = now()'),
       pg_temp.run_as_writer(w, $$update public.organization_members set status = 'removed'$$) from unnest(array['sam', 'otto']) w
         \g /dev/null
select is(pg_temp.as_user('owner', q), n, 'a statement without a condition changes no row for a person without the permission: ' || q)
  from (values
  ('select count(*) from agent_api_keys where revoked_at is null', '2'),
  ('select count(*) from agent_mcp_permissions where revoked_at is null', '1'),
  ('select count(*) from organization_invitations where revoked_at is null', '1'),
  ($$select count(*) from permission_requests where status = 'open'$$, '1'),
  ('select count(*) from mcp_server_instances where priority = 7', '0'),
  ('select string_agg(display_name, '','' order by display_name) from user_profiles', 'Bob,Mia'),
  ($$select count(*) from organization_members where status = 'removed'$$, '0')) t(q, n);

-- A person who may write does so in their own name, and only in the way that the functions do
select is(pg_temp.as_writer('adam', q), '42501', 'the writer refuses for an admin: ' || q) from unnest(array[
  'update public.agent_api_keys set revoked_at = now(), revoked_by = {ann} where agent_id = {robo}',
  'update public.organization_api_keys set revoked_at = now(), revoked_by = {ann} where organization_id = {a}',
  $$update public.permission_requests set status = 'refused', decided_by = {ann}, decided_at = now() where id = {request}$$,
  $$update public.permission_requests set status = 'withdrawn', decided_by = {adam}, decided_at = now() where id = {request}$$]) q;
select is(pg_temp.as_writer('ann', 'update public.organization_invitations set revoked_at = null where id = {invitation}'), '42501',
  'a revoked invitation cannot be opened again by an owner');
select is(pg_temp.as_writer(w, q), '42501',
  format('the writer inserts nothing of another person for %s: %s', w, regexp_replace(q, '\s+', ' ', 'g'))) from (values
  ('mel', $$insert into public.permission_requests (id, organization_id, agent_id, mcp_server_instance_id, permissions, requested_by)
    values ({nobody}, {a}, {robo}, {files}, '{}', {mel})$$),
  ('mel', $$insert into public.user_profiles (user_id, display_name) values ({vic}, 'x')$$),
  ('mel', $$insert into public.user_ssh_keys (id, user_id, name, public_key, fingerprint) values ({nobody}, {vic}, 'x', 'x', 'x')$$)) t(w,
    q);
select is(pg_temp.as_writer(w, 'select count(*) from weir.idempotency_keys'), '0', format('the writer sees no idempotency key for %s', w))
  from unnest(array['mia', 'sam', 'bob']) w;
select is(pg_temp.as_writer(w,
  $$insert into weir.idempotency_keys (organization_id, key, request_hash, answer) values ({a}, 'x', sha256('x'), '{}')$$), '42501',
  format('the writer inserts no idempotency key for %s', w)) from unnest(array['mia', 'sam', 'bob']) w;
rollback to s;

-- Agents and keys
select is(pg_temp.as_writer('vic',
  $$insert into public.agents (id, organization_id, name, user_id, created_by) values ({nobody}, {a}, 'x', {vic}, {vic})$$), '42501',
  'V12_the_writer_inserts_no_agent_for_a_viewer');
select is(pg_temp.as_writer('mia',
  $$insert into public.agents (id, organization_id, name, user_id, created_by) values ({nobody}, {a}, 'x', {ann}, {mia})$$), '42501',
  'the writer inserts no agent that another person owns');
select is(pg_temp.as_writer('bob',
  $$insert into public.agents (id, organization_id, name, user_id, created_by) values ({nobody}, {a}, 'x', {bob}, {bob})$$), '42501',
  'T3_the_writer_inserts_no_agent_into_another_organization');
select is(pg_temp.as_writer('mel', $$insert into public.agent_api_keys (organization_id, agent_id, name, key_id, secret_hash, created_by)
  values ({a}, {robo}, 'k', 'melkey0000000001', sha256('x'), {mel})$$), '42501',
    'the writer inserts no key for a member who does not own the agent');
select is(pg_temp.as_writer('mia', $$select secret_hash from public.agent_api_keys$$), '42501',
  'the writer cannot read the hash of a key''s secret');

-- Servers
select is(pg_temp.as_writer('mia', $$insert into public.mcp_server_instances (id, organization_id, instance_name, url, created_by)
  values ({nobody}, {a}, 'x', 'https://x.example', {mia})$$), '42501', 'the writer inserts no server for a member');
select is(pg_temp.as_writer('ann', $$insert into public.mcp_server_instances (id, organization_id, instance_name, url, created_by)
  values ({nobody}, {b}, 'x', 'https://x.example', {ann})$$), '42501', 'M2_the_writer_inserts_no_server_into_another_organization');
select is(pg_temp.as_writer('bob', $$update public.mcp_server_instances set status = 'stopping' where id = {files} returning 1$$), null,
  'M2_the_writer_stops_no_server_of_another_organization');
select is(pg_temp.as_writer('mia', $$update public.mcp_server_instances set status = 'stopping' where id = {files} returning 1$$), null,
  'the writer stops no server for a member');
select is(pg_temp.as_writer('mia', $$insert into weir.dtma_operations (id, organization_id, instance_id, action, generation, created_by)
  values ({nobody}, {a}, {files}, 'stop', 9, {mia})$$), '42501', 'D1_the_writer_inserts_no_operation_for_a_member');
select is(pg_temp.as_writer(w, 'select count(*) from weir.dtma_operations'), n, format('D1_%s sees %s operations', w, n))
from (values ('adam', '1'), ('mel', '0'), ('vic', '0'), ('sam', '0'), ('bob', '0')) t(w, n);
select is(pg_temp.as_writer('ann', $$update public.mcp_server_tools set status = 'approved'$$), '42501',
  'the writer does not approve tools without the approver''s name');
select is(pg_temp.as_writer('ann', $$insert into public.mcp_server_catalog (slug) values ('x')$$), '42501',
  'D6_the_writer_does_not_write_the_catalog');

-- Workspaces and chat
select is(pg_temp.as_writer(w,
  format($$insert into public.workspaces (id, organization_id, name, created_by) values ({nobody}, {a}, 'x', {%s})$$, b)), '42501',
  format('V12_the_writer_inserts_no_workspace_for %s created by %s', w, b))
    from (values ('vic', 'vic'), ('sam', 'sam'), ('bob', 'bob'), ('mia', 'ann')) t(w, b);
select is(pg_temp.as_writer('mel',
  $$insert into public.workspace_members (organization_id, workspace_id, user_id) values ({a}, {home}, {mel})$$), '42501',
  'S1_the_writer_does_not_add_a_member_to_a_workspace_for_themselves');
select is(pg_temp.as_writer('ann',
  $$insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, user_id, content)
  values ({nobody}, {a}, {home}, {chat}, 'user', {mia}, 'x')$$), '42501', 'S15_the_writer_inserts_no_message_in_another_s_name');
select is(pg_temp.as_writer('mel',
  $$insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, user_id, content)
  values ({nobody}, {a}, {home}, {chat}, 'user', {mel}, 'x')$$), '42501',
    'S1_the_writer_inserts_no_message_into_a_channel_that_the_person_is_not_in');
select is(pg_temp.as_writer('mel', $$select count(*) from public.chat_channels$$), '0',
  'S1_the_writer_sees_no_channel_that_the_person_is_not_in');
select is(pg_temp.as_writer(w, format($$insert into public.chat_channels (id, organization_id, workspace_id, name, created_by)
  values ({nobody}, {a}, {home}, 'x', {%s})$$, w)), '42501',
    format('S1_the_writer_inserts_no_channel_for_a_person_outside_the_workspace: %s', w)) from unnest(array['mel', 'adam', 'bob']) w;

-- The audit log
select is(pg_temp.as_writer('ann', $$select count(*) from public.mcp_interaction_logs$$), '42501',
  'T11_the_writer_cannot_read_the_audit_log');
select is(pg_temp.as_writer('ann', $$select count(*) from weir.settings$$), '42501', 'the writer cannot read settings');
select * from finish();
rollback;
