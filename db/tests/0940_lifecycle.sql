-- Changes and deletion of agents, workspaces, channels and organizations: what is deleted, what stays, and what can be restored.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- The answer that an actor gets if another session runs a statement while the actor waits for the lock. Undone afterwards.
create function pg_temp.error_while(p_meanwhile text, p_actor text, p_sql text) returns text language plpgsql as $$
declare
  v_error text;
begin
  perform pg_temp.when_lock_is_taken(p_meanwhile);
  v_error := pg_temp.error_as(p_actor, p_sql);
  raise exception '%', v_error using errcode = 'P0999';
exception
  when sqlstate 'P0999' then return sqlerrm;
end;
$$;

-- The current hour
select pg_temp.as_user('ann', $$select create_organization_api_key({a}, 'k', 'orgkey0000000001', repeat('k', 43), '{usage.read}')$$),
       pg_temp.admit_call('list_directory') \g /dev/null
select is(pg_temp.as_user('engine', $$select r -> 'rows' -> 0 ->> 'calls' || ' ' || jsonb_array_length(r -> 'rows')
  from weir.read_with_key('orgkey0000000001', sha256(repeat('k', 43)::bytea), 'read_usage', '{}') r$$), '1 1',
  'usage includes the current hour');

-- An agent
select is(pg_temp.as_user('mia', $$select update_agent({robo}, 'Robo 2', 'be brief') ->> 'name'$$), 'Robo 2',
  'an agent''s owner renames it');
select is(pg_temp.as_user('ann', $$select name || ' ' || instructions from agents where id = {robo}$$), 'Robo 2 be brief',
  'members see an agent''s name and instructions');
select is(pg_temp.error_as('adam', $$select update_agent({robo}, instructions => '')$$), 'ok', 'an admin removes an agent''s instructions');
select is(pg_temp.as_user('ann', $$select name || coalesce(instructions, ' none') from agents where id = {robo}$$), 'Robo 2 none',
  'a change of an agent keeps what it does not name');
savepoint s;
select is(pg_temp.error_as(w, $$select delete_agent({robo})$$), r, format('%s who deletes an agent gets %s', w, r))
from (values ('vic', 'WR003'), ('mel', 'WR003'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.error_as('mia', $$select delete_agent({robo})$$), 'ok', 'an agent''s owner deletes it');
select is(pg_temp.admit_call('list_directory'), 'key_revoked', 'the key of a deleted agent is revoked');
select is(pg_temp.admit_call_as('ann', 'list_directory'), 'agent_inactive', 'nobody acts through a deleted agent');
select is(pg_temp.as_user('owner', $$select concat(
    (select count(*) from agent_api_keys where agent_id = {robo} and revoked_at is null),
    (select count(*) from agent_mcp_permissions where agent_id = {robo} and revoked_at is null),
    (select count(*) from workspace_members where agent_id = {robo}))$$), '000',
  'a deleted agent has no valid keys, no grants and no workspaces');
select is(pg_temp.as_user('mia', $$select count(*) from agents where id = {robo}$$), '0', 'nobody sees a deleted agent');
select is(pg_temp.error_as('mia', $$select create_agent({a}, 'Robo 2')$$), 'ok', 'the name of a deleted agent is free');
select is(pg_temp.as_user('owner', $$select string_agg(agent_name, ' ') from mcp_interaction_logs where item = 'delete_agent'
  and decision = 'allowed'$$), 'Robo 2', 'the audit log keeps the name of a deleted agent');
select is(pg_temp.error_as(w, q), 'WR004', format('for %s a deleted agent does not exist: %s', w, q))
from unnest(array['ann', 'mia']) w, unnest(array['select delete_agent({robo})', 'select set_agent_active({robo}, true)',
  $$select update_agent({robo}, 'x')$$, $$select create_agent_key({robo}, 'k', 'robokey000000002', repeat('s', 43))$$,
  $$select grant_mcp_access({robo}, {files}, '{}')$$, 'select add_workspace_member({home}, agent_id => {robo})']) q;
rollback to s;

select pg_temp.as_user('mia', 'select remove_workspace_member({home}, {mia})'),
       pg_temp.as_user('mia', 'select delete_agent({robo})') \g /dev/null
select is(pg_temp.as_user('owner', 'select count(*) from workspace_members where agent_id = {robo}'), '0',
  'a deleted agent leaves workspaces that its owner does not see');
rollback to s;

-- The object of an act is deleted while the act waits for the lock
select is(pg_temp.error_while('update public.agents set deleted_at = now() where id = {robo}', w, q), r,
          format('an act on an agent that is deleted meanwhile does nothing: %s', q))
from (values ('ann', $$select grant_mcp_access({robo}, {files}, '{}')$$, 'WR004'), ('adam', $$select update_agent({robo}, 'x')$$, 'WR004'),
  ('adam', $$select create_agent_key({robo}, 'k', 'robokey000000002', repeat('s', 43))$$, 'WR004'),
  ('adam', 'select set_agent_active({robo}, false)', 'WR004'),
  -- The former owner no longer owns it.
  ('mia', $$select request_mcp_access({robo}, {files}, '{}', 'please')$$, 'WR003'),
  ('mia', 'select revoke_mcp_access({robo}, {files})', 'WR003')) t(w, q, r);
select pg_temp.as_user('ann', 'select remove_workspace_member({home}, agent_id => {robo})') \g /dev/null
select is(pg_temp.error_while('update public.agents set deleted_at = now() where id = {robo}', 'adam',
  'select add_workspace_member({home}, agent_id => {robo})'), 'WR004', 'an agent that is deleted meanwhile is not added to a workspace');
rollback to s;
select is(pg_temp.error_while('update public.workspaces set deleted_at = now() where id = {home}', w, q), 'WR004',
          format('a workspace that is deleted meanwhile does not exist: %s', q))
from (values ('ann', 'select add_workspace_member({home}, {adam})'), ('mia', $$select create_agent({a}, 'x', workspace_id => {home})$$),
  ('adam', 'select remove_workspace_member({home}, {mia})')) t(w, q);
select is(pg_temp.error_while($$update public.mcp_server_instances set status = 'deleting' where id = {files}$$, w, q), 'WR004',
          format('a server that is deleted meanwhile does not exist: %s', q))
from (values ('ann', $$select grant_mcp_access({robo}, {files}, '{}')$$),
  ('mia', $$select request_mcp_access({robo}, {files}, '{}', 'please')$$)) t(w, q);

-- A workspace
select is(pg_temp.error_as('mia', $$select rename_workspace({home}, 'x')$$), 'WR003', 'a member renames no workspace');
select is(pg_temp.error_as('adam', $$select rename_workspace({home}, 'House')$$), 'ok', 'an admin renames a workspace');
select is(pg_temp.error_as('mia', $$select remove_workspace_member({home}, {ann})$$), 'WR003', 'a member removes nobody else');
select is(pg_temp.error_as('ann', $$select remove_workspace_member({home})$$), 'WR001', 'a removal from a workspace must name a member');
savepoint s;
select is(pg_temp.error_as('mia', $$select remove_workspace_member({home}, agent_id => {robo})$$), 'ok',
  'an agent''s owner removes it from a workspace');
select is(pg_temp.admit_call_as('ann', 'list_directory'), 'user_forbidden',
  'a person who shared only that workspace may no longer use the agent');
rollback to s;
select is(pg_temp.error_as('mia', $$select remove_workspace_member({home}, {mia})$$), 'ok', 'a member leaves');
select is(pg_temp.as_user('mia', 'select count(*) from chat_channels'), '0', 'a person who left a workspace sees none of its channels');
rollback to s;
select pg_temp.as_user('ann', $$select post_chat_message({chat}, 'hello')$$) \g /dev/null
select is(pg_temp.error_as('mia', $$select delete_channel({chat})$$), 'WR003', 'a member deletes no channel of another');
savepoint s2;
select is(pg_temp.error_as('ann', $$select delete_channel({chat})$$), 'ok', 'the person who made a channel deletes it');
select is(pg_temp.as_user('ann', 'select (select count(*) from chat_channels) + (select count(*) from chat_messages)'), '0',
  'nobody sees a deleted channel or its messages');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'again')$$), 'WR004', 'nobody writes into a deleted channel');
select is(pg_temp.error_as('ann', $$select create_channel({home}, 'chat')$$), 'ok', 'the name of a deleted channel is free');
select is(weir.purge_deleted(1000), 1, 'a purge deletes the messages of a deleted channel');
select is(pg_temp.as_user('owner', $$select count(*) from chat_channels where id = {chat}$$), '0', 'a purge then deletes the channel');
rollback to s2;
select is(pg_temp.error_as('mia', $$select delete_workspace({home})$$), 'WR003', 'a member deletes no workspace');
select is(pg_temp.error_as('adam', $$select delete_workspace({home})$$), 'ok', 'an admin deletes a workspace');
select is(pg_temp.as_user(w, 'select (select count(*) from workspaces) + (select count(*) from chat_messages)'), '0',
  format('%s sees nothing of a deleted workspace', w)) from unnest(array['ann', 'adam', 'mia']) w;
select is(pg_temp.admit_call_as('ann', 'list_directory'), 'user_forbidden', 'a deleted workspace permits nobody to use its agents');
select is(pg_temp.error_as('ann', $$select create_workspace({a}, 'House')$$), 'ok', 'the name of a deleted workspace is free');
select is(weir.purge_deleted(1000), 1, 'a purge deletes the messages of a deleted workspace');
select is(pg_temp.as_user('owner', $$select count(*) from workspaces where id = {home}$$), '0', 'a purge then deletes the workspace');
rollback to s;

-- An organization
select is(pg_temp.error_as('adam', $$select update_organization({a}, 'x')$$), 'WR003', 'an admin does not rename the organization');
select is(pg_temp.as_user('ann', $$select update_organization({a}, 'New name', 'new-slug')$$)::jsonb - 'id',
  '{"name": "New name", "slug": "new-slug"}'::jsonb, 'an owner renames the organization');
select is(pg_temp.error_as('bob', $$select update_organization({b}, slug => 'new-slug')$$), 'WR005', 'a slug belongs to one organization');
savepoint two;
select pg_temp.create_as('second', 'ann', $$select create_organization('Second')$$),
       pg_temp.as_user('ann', $$select update_organization({a}, 'Another name')$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select name from organizations where id = {second}$$), 'Second',
  'the owner''s other organization keeps its name');
select pg_temp.as_user('ann', format('select delete_organization({%s})', o)) from unnest(array['a', 'second']) o \g /dev/null
update organization_members set role = 'owner' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('adam');
select is(pg_temp.error_while('update public.organization_members set role = ''member'' where organization_id = {a} and user_id = {ann}',
  'ann', 'select restore_organization({a})'), 'WR004', 'an owner who loses the role during the wait restores nothing');
select pg_temp.as_user('ann', 'select restore_organization({a})') \g /dev/null
select is(pg_temp.as_user('ann', $$select string_agg(id::text, ' ') from organizations$$), pg_temp.id_of('a')::text,
  'of two deleted organizations the named one is restored');
rollback to two;
select is(pg_temp.error_as(w, $$select delete_organization({a})$$), r, format('%s who deletes the organization gets %s', w, r))
from (values ('adam', 'WR003'), ('mia', 'WR003'), ('bob', 'WR004')) t(w, r);
select is(pg_temp.error_as('ann', $$select restore_organization({a})$$), 'WR004', 'an organization that is not deleted is not restored');
select is(pg_temp.error_as('ann', $$select delete_organization({a})$$), 'ok', 'an owner deletes the organization');
select is(pg_temp.admit_call('list_directory'), 'organization_inactive', 'a deleted organization executes nothing');
select is(pg_temp.as_user(w, 'select count(*) from organizations'), '0', format('%s sees nothing of a deleted organization', w))
from unnest(array['ann', 'adam']) w;
select is(pg_temp.as_user('owner', $$select count(*) from weir.dtma_operations where instance_id = {files} and action = 'stop'$$), '1',
  'the servers of a deleted organization are stopped');
select is(pg_temp.error_as('ann', $$select read_audit({a})$$), 'ok', 'the owner of a deleted organization reads its audit log');
select is(pg_temp.error_as(w, q), 'WR004', format('for %s a deleted organization does not exist: %s', w, q))
from (values ('adam', 'select read_audit({a})'), ('adam', 'select restore_organization({a})'), ('bob', 'select restore_organization({a})'),
  ('ann', $$select create_agent({a}, 'x')$$), ('ann', $$select create_workspace({a}, 'x')$$), ('ann', $$select delete_organization({a})$$),
  ('ann', $$select manage_mcp_servers('deploy', {a}, null, {files})$$), ('ann', $$select set_member_role({a}, {vic}, 'admin')$$)) t(w, q);
savepoint s;
select is(pg_temp.error_as('ann', $$select restore_organization({a})$$), 'ok', 'the owner of a deleted organization restores it');
select is(pg_temp.as_user('ann', $$select status from mcp_server_instances where id = {files}$$), 'deploying',
  'the servers of a restored organization start again');
select is(pg_temp.admit_call('list_directory'), 'unavailable', 'the agents of a restored organization have their grants again');
rollback to s;
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.error_as('ann', $$select restore_organization({a})$$), 'WR004',
  'a deleted organization that the platform has stopped is not restored');
rollback to s;
update organizations set deleted_at = now() - interval '30 days' where id = pg_temp.id_of('a');
select is(pg_temp.error_as('ann', $$select restore_organization({a})$$) || pg_temp.error_as('ann', $$select read_audit({a})$$),
  'WR004WR004',
  'after 30 days the owner neither restores nor reads a deleted organization');
select pg_temp.as_user('owner', $$update agents set instructions = 'be brief' where id = {robo}$$),
       pg_temp.as_user('bob', $$select create_datastore({b}, 'Docs')$$),
       pg_temp.as_user('bob', $$select invite_member({b}, 'x@example.org', 'member', repeat('x', 43))$$) \g /dev/null
select lives_ok($$select weir.purge_deleted(1000)$$, 'a purge after 30 days succeeds');
select is(pg_temp.as_user('owner', $$select concat_ws(' ', (select count(*) from organization_invitations where organization_id = {a}),
    (select count(*) from agents where organization_id = {a} and (instructions is not null or deleted_at is null)))$$), '0 0',
  'a purged organization has no invitations, and its agents no instructions');
select is(pg_temp.as_user('owner', $$select concat_ws(' ', (select status from mcp_server_instances where id = {files}),
    (select count(*) from weir.dtma_operations where instance_id = {files} and action = 'delete'),
    (select count(*) from workspaces where organization_id = {a}), (select purged_at is not null from organizations where id = {a}))$$),
  'deleting 1 0 t', 'a purge deletes servers and workspaces, and the organization''s row stays');
select ok(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where organization_id = {a}$$)::integer > 5,
  'the audit log of a purged organization stays');
select is(pg_temp.as_user('owner', $$select concat_ws(' ', (select count(*) from agents where organization_id = {b} and deleted_at is null),
    (select count(*) from mcp_server_instances where organization_id = {b} and status = 'pending'),
    (select count(*) from workspaces where organization_id = {b} and deleted_at is null),
    (select count(*) from datastores where organization_id = {b} and deleted_at is null),
    (select count(*) from organization_invitations where organization_id = {b}),
    (select purged_at is null from organizations where id = {b}))$$), '1 1 1 1 1 t',
  'a purge does not change another organization');
rollback to s;
select weir.purge_deleted(1000) \g /dev/null
select is(pg_temp.as_user('owner', $$select purged_at is null from organizations where id = {a}$$), 'true',
  'no organization is purged before the 30 days are over');

select * from finish();
rollback;
