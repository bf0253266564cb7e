-- The export of an organization's data for its owners, also while it is deleted and can be restored.

-- The parts of an export, in the order in which docs/functions.md names them.
create function weir.export_parts() returns text[]
language sql immutable parallel safe
  return array['organization', 'members', 'agents', 'servers', 'grants', 'workspaces', 'datastores', 'documents'];

-- Rows of one part after the row p_after, in the order of their ids. Not a definer, and without a permission check, which
-- weir.export_organization has made. Each part has its own order and limit, so that a page reads only its own part.
create function weir.export_page(p_organization_id uuid, p_part text, p_after uuid, p_limit integer) returns table (id uuid, content jsonb)
language plpgsql stable rows 100
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  (select o.id, jsonb_build_object('id', o.id, 'name', o.name, 'slug', o.slug, 'chat_tools', o.chat_tools, 'created_at', o.created_at,
                                   'deleted_at', o.deleted_at)
   from public.organizations o where p_part = 'organization' and o.id = p_organization_id and (p_after is null or o.id > p_after))
  union all
  (select m.user_id, jsonb_build_object('user_id', m.user_id, 'email', weir.email_of(m.user_id), 'role', m.role, 'status', m.status,
                                        'created_at', m.created_at)
   from public.organization_members m
   where p_part = 'members' and m.organization_id = p_organization_id and m.status <> 'removed'
     and (p_after is null or m.user_id > p_after)
   order by m.user_id limit p_limit)
  union all
  (select a.id, jsonb_build_object('id', a.id, 'name', a.name, 'instructions', a.instructions, 'user_id', a.user_id,
                                   'is_active', a.is_active, 'created_at', a.created_at)
   from public.agents a
   where p_part = 'agents' and a.organization_id = p_organization_id and a.deleted_at is null and (p_after is null or a.id > p_after)
   order by a.id limit p_limit)
  union all
  (select i.id, jsonb_build_object('id', i.id, 'instance_name', i.instance_name, 'catalog', c.slug, 'version', c.version,
                                   'url', split_part(i.url, '?', 1),
                                   'configuration', weir.readable_configuration(c.configuration_schema, i.configuration),
                                   'timeout_ms', i.timeout_ms, 'max_retries', i.max_retries, 'retry_backoff_ms', i.retry_backoff_ms,
                                   'priority', i.priority, 'share', i.share, 'max_sessions', i.max_sessions, 'region', i.region,
                                   'pin_policy', i.pin_policy, 'chat_offline', i.chat_offline, 'created_at', i.created_at)
   from public.mcp_server_instances i left join public.mcp_server_catalog c on c.id = i.catalog_server_id
   where p_part = 'servers' and i.organization_id = p_organization_id and i.status not in ('deleting', 'deleted')
     and (p_after is null or i.id > p_after)
   order by i.id limit p_limit)
  union all
  (select g.id, jsonb_build_object('id', g.id, 'agent_id', g.agent_id, 'mcp_server_instance_id', g.mcp_server_instance_id,
                                   'permissions', g.permissions, 'not_before', g.not_before, 'expires_at', g.expires_at)
   from public.agent_mcp_permissions g
   where p_part = 'grants' and g.organization_id = p_organization_id and g.revoked_at is null and (p_after is null or g.id > p_after)
   order by g.id limit p_limit)
  union all
  (select w.id, jsonb_build_object('id', w.id, 'name', w.name, 'created_at', w.created_at, 'members', (
     select coalesce(jsonb_agg(jsonb_build_object('user_id', m.user_id, 'agent_id', m.agent_id)), '[]')
     from public.workspace_members m where m.organization_id = p_organization_id and m.workspace_id = w.id))
   from public.workspaces w
   where p_part = 'workspaces' and w.organization_id = p_organization_id and w.deleted_at is null and (p_after is null or w.id > p_after)
   order by w.id limit p_limit)
  union all
  (select d.id, jsonb_build_object('id', d.id, 'name', d.name, 'backend', d.backend, 'settings', d.settings, 'created_at', d.created_at,
     'agents', (select coalesce(jsonb_agg(l.agent_id), '[]') from public.agent_datastores l
                where l.organization_id = p_organization_id and l.datastore_id = d.id))
   from public.datastores d
   where p_part = 'datastores' and d.organization_id = p_organization_id and d.deleted_at is null and (p_after is null or d.id > p_after)
   order by d.id limit p_limit)
  union all
  -- A document has up to 32 MiB: the page ends with the one that makes it 8 MiB.
  (select d.id, jsonb_build_object('id', d.id, 'datastore_id', d.datastore_id, 'title', d.title, 'source', d.source,
                                   'media_type', d.media_type, 'created_at', d.created_at, 'chunks', (
     select jsonb_agg(jsonb_build_object('heading', k.heading, 'text', k.content) order by k.ordinal)
     from weir.document_chunks k
     where k.organization_id = p_organization_id and k.datastore_id = d.datastore_id and k.document_id = d.id))
   from (select x.*, sum(x.size_bytes) over (order by x.id) - x.size_bytes as bytes_before
         from public.documents x
         join public.datastores s on s.organization_id = x.organization_id and s.id = x.datastore_id and s.deleted_at is null
         where p_part = 'documents' and x.organization_id = p_organization_id and (p_after is null or x.id > p_after)
         order by x.id limit p_limit) d
   where d.bytes_before < 8388608)
  order by 1;
end;
$$;

revoke all on function weir.export_parts, weir.export_page from public;
grant execute on function weir.export_parts, weir.export_page to weir_system;

set local role weir_system;

-- For owners, also of an organization that was deleted less than 30 days ago. One page of one part; `next` is the last row's id, or null
-- after the last page. Left out are removed members; secrets, which are `writeOnly` in a server's configuration or in the query of its
-- address; keys; the chat, which only the workspace's members see; and the audit log, which read_audit returns. p_limit is 100 if null, and
-- at most 1,000. It records the reading, so it is a writing function and returns its refusals. Definer: nobody sees an organization that is
-- deleted.
create function weir.export_organization(p_organization_id uuid, p_part text, p_after uuid, p_limit integer) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_rows jsonb;
  v_refusal jsonb;
begin
  v_act := weir.act('admin_read', 'export_organization', 'owner', 'only an owner exports an organization', p_organization_id);
  v_refusal := case when not exists (select from weir.my_deleted_organizations() o where o = p_organization_id)
                    then weir.authorize(v_act) end;
  if v_refusal is not null then
    return v_refusal;
  elsif p_part is null or p_part <> all(weir.export_parts()) then
    return weir.refuse(v_act, 'WR001', 'part must be one of ' || array_to_string(weir.export_parts(), ', '));
  elsif coalesce(p_limit, 100) not between 1 and 1000 then
    return weir.refuse(v_act, 'WR001', 'limit must be 1 to 1000');
  end if;
  perform weir.record_act(v_act, p_part);
  v_rows := (select coalesce(jsonb_agg(r.content order by r.id), '[]')
             from weir.export_page(p_organization_id, p_part, p_after, coalesce(p_limit, 100)) r);
  return jsonb_build_object('rows', v_rows, 'next', coalesce(v_rows -> -1 -> 'id', v_rows -> -1 -> 'user_id'));
end;
$$;
grant execute on function weir.export_organization to authenticated;

reset role;

-- The published name; parameter names are API.
create function public.export_organization(organization_id uuid, part text, after uuid default null, "limit" integer default null)
returns jsonb
language sql volatile begin atomic select weir.export_organization($1, $2, $3, $4); end;

revoke all on function public.export_organization from public, anon, authenticated, service_role;
grant execute on function public.export_organization to authenticated;
