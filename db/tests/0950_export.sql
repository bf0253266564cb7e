-- The export of an organization by its owner, also while it is deleted.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
select pg_temp.create_as('docs', 'ann', $$select create_datastore({a}, 'Docs')$$),
       pg_temp.create_as('doc', 'ann', $$select ingest_document({docs}, 'Paper', '[{"text": "one"}, {"text": "two", "heading": "h"}]')$$),
       pg_temp.as_user('ann', $$select link_datastore({docs}, {robo})$$) \g /dev/null
set local session_replication_role = replica;
update mcp_server_catalog set configuration_schema =
  jsonb_set(configuration_schema, '{properties,password}', '{"type": "string", "writeOnly": true}') where slug = 'test-files';
update mcp_server_instances set configuration = configuration || '{"password": "hush"}' where id = pg_temp.id_of('files');
set local session_replication_role = origin;

create function pg_temp.exported(p_part text, p_rest text default '') returns text language sql as $$
  select pg_temp.as_user('ann', format('select export_organization({a}, %L%s) -> ''rows''', p_part, p_rest)) $$;

select is(pg_temp.error_as(w, $$select export_organization({a}, 'agents')$$), r, format('%s who exports gets %s', w, r))
from (values ('adam', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.error_as('ann', q), 'WR001', q) from unnest(array[$$select export_organization({a}, 'secrets')$$,
  'select export_organization({a}, null)', $$select export_organization({a}, 'agents', "limit" => 0)$$,
  $$select export_organization({a}, 'agents', "limit" => 1001)$$]) q;

select is(pg_temp.exported('organization')::jsonb -> 0 ->> 'name', 'Organization A', 'the organization itself');
select is((select string_agg(m ->> 'role', ' ' order by m ->> 'role') from jsonb_array_elements(pg_temp.exported('members')::jsonb) m),
  'admin admin member member owner viewer', 'an export has the members');
select is(pg_temp.exported('agents')::jsonb #>> '{0,name}', 'Robo', 'its agents');
select is((pg_temp.exported('servers')::jsonb -> 0) - array['id', 'created_at'], '{"instance_name": "files", "catalog": "test-files",
  "version": "1.0.0", "url": null, "configuration": {"directory": "/data"}, "timeout_ms": null, "max_retries": 1, "retry_backoff_ms": 100,
  "priority": 100, "share": "instance", "max_sessions": null, "region": null, "pin_policy": "trust_first",
    "chat_offline": ["list_*"]}'::jsonb,
  'an export has the servers, without writeOnly values');
select is(pg_temp.exported('grants')::jsonb #> '{0,permissions,prompts}', '["gr*"]'::jsonb, 'its grants');
select is(jsonb_array_length(pg_temp.exported('workspaces')::jsonb #> '{0,members}'), 3, 'an export has the workspaces with their members');
select is(pg_temp.exported('datastores')::jsonb #>> '{0,agents,0}', pg_temp.id_of('robo')::text,
  'an export has the datastores with the agents that search them');
select is(pg_temp.exported('documents')::jsonb #> '{0,chunks}', '[{"heading": "", "text": "one"}, {"heading": "h", "text": "two"}]'::jsonb,
  'its documents');
select is(pg_temp.as_user('owner', $$select string_agg(distinct detail, ' ' order by detail) from mcp_interaction_logs
  where item = 'export_organization' and decision = 'allowed' and organization_id = {a}$$),
  'agents datastores documents grants members organization servers workspaces', 'the audit log has the exported parts');

update organization_members set status = 'removed' where user_id = pg_temp.id_of('mel') and organization_id = pg_temp.id_of('a');
select is(position(pg_temp.id_of('mel')::text in pg_temp.exported('members')), 0, 'a removed member is not exported');
update organization_members set status = 'active' where user_id = pg_temp.id_of('mel') and organization_id = pg_temp.id_of('a');
select pg_temp.create_as('remote', 'ann', $$select manage_mcp_servers('create', {a},
  '{"instance_name": "remote", "url": "https://remote.example/mcp?key=hush"}')$$) \g /dev/null
select is(position('hush' in pg_temp.exported('servers')), 0, 'no secret in the query of an address is exported');

-- Pages
select is((select count(distinct p -> 'rows' -> 0 ->> 'user_id') from (
    with recursive pages as (
      select pg_temp.as_user('ann', $$select export_organization({a}, 'members', "limit" => 1)$$)::jsonb as p
      union all
      select pg_temp.as_user('ann', format($$select export_organization({a}, 'members', %L, 1)$$, p ->> 'next'))::jsonb
      from pages where p ->> 'next' is not null)
    select p from pages) t), 6::bigint, 'every row is on one page');
select is(pg_temp.exported('documents', ', {doc}'), '[]', 'the page after the last row is empty');

-- Another organization's rows, with one for each part, and a deleted organization
select pg_temp.create_as('bdocs', 'bob', $$select create_datastore({b}, 'Docs')$$),
       pg_temp.create_as('bdoc', 'bob', $$select ingest_document({bdocs}, 'Theirs', '[{"text": "theirs"}]')$$),
       pg_temp.as_user('bob', $$select link_datastore({bdocs}, {bot})$$),
       pg_temp.as_user('bob', $$select add_workspace_member({den}, agent_id => {bot})$$),
       pg_temp.as_user('bob', $$select grant_mcp_access({bot}, {spy}, '{}')$$) \g /dev/null
select is((select count(*)
  from jsonb_array_elements(pg_temp.as_user(w, format('select export_organization({%s}, %L) -> ''rows''', o, p))::jsonb)),
          n::bigint, format('an export has rows of its organization only: %s of %s', p, o))
from (values ('ann', 'a', '{1,6,1,2,1,1,1,1}'::integer[]), ('bob', 'b', '{1,2,1,1,1,1,1,1}')) t(w, o, counts),
  unnest(weir.export_parts(), counts) u(p, n);
select is(pg_temp.as_user('bob', format('select export_organization({b}, %L) #> ''{rows,0,%s}''', p, m))::jsonb, e,
          format('the members of a row are of that organization only: %s of %s', m, p))
from (values ('datastores', 'agents', jsonb_build_array(pg_temp.id_of('bot'))),
             ('workspaces', 'members', jsonb_build_array(jsonb_build_object('user_id', pg_temp.id_of('bob'), 'agent_id', null),
                                                         jsonb_build_object('user_id', null, 'agent_id', pg_temp.id_of('bot')))),
             ('documents', 'chunks', '[{"heading": "", "text": "theirs"}]')) t(p, m, e);
select pg_temp.as_user('ann', 'select delete_organization({a})') \g /dev/null
select is(pg_temp.exported('agents')::jsonb #>> '{0,name}', 'Robo', 'the owner of a deleted organization exports it');
select is(pg_temp.error_as(w, $$select export_organization({a}, 'agents')$$), 'WR004', format('%s does not', w))
from unnest(array['adam', 'bob']) w;
update organizations set deleted_at = now() - interval '30 days' where id = pg_temp.id_of('a');
select is(pg_temp.error_as('ann', $$select export_organization({a}, 'agents')$$), 'WR004',
  'after 30 days nobody exports a deleted organization');

select * from finish();
rollback;
