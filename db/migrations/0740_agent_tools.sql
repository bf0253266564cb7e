-- Agent tools: the tools, prompts, templates and resources that an agent was granted, and how it searches them.

-- The agent of a principal: by its key, or named by a person who may use it. A viewer may list what the agent has, and may not call
-- (weir.decide). Null: the key is not valid, or that person may not use that agent. p_agent_id besides a key must be the key's own agent.
-- p_stopped selects an agent that is switched off, alone or with its organization or the platform; all other conditions stay the same. Not
-- a definer: it is called by weir_system's functions.
create function weir.principal_agent(
  p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_stopped boolean default false) returns uuid
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent_id uuid;
begin
  if p_key_id is not null then
    select k.agent_id into v_agent_id from weir.authenticate_key(p_key_id, p_secret_hash) k
    where (p_agent_id is null or k.agent_id = p_agent_id) and k.is_stopped = p_stopped;
    return v_agent_id;
  end if;
  select a.id into v_agent_id
  from public.agents a
  join lateral (select x.is_active, x.deleted_at from public.organizations x where x.id = a.organization_id offset 0) o on true
  join lateral (select x.status from public.organization_members x
                where x.organization_id = a.organization_id and x.user_id = a.user_id offset 0) owner on true
  join lateral (select x.status from public.organization_members x
                where x.organization_id = a.organization_id and x.user_id = p_user_id offset 0) person on true
  where a.id = p_agent_id and a.deleted_at is null and owner.status = 'active' and person.status = 'active'
    and o.deleted_at is null
    and (not a.is_active or not o.is_active or exists (select from weir.platform_stop p where p.only_row)) = p_stopped
    and weir.may_use_agent(p_user_id, a.id, a.user_id);
  return v_agent_id;
end;
$$;

revoke all on function weir.principal_agent from public;
grant execute on function weir.principal_agent to weir_system;

set local role weir_system;

-- The organization for whose limits a principal's reads count. A replica calls this before it reads for that principal the first time. Null
-- if there is no such principal; a principal that is switched off has its organization. Definer: an agent is not a person, and its verified
-- key decides.
create function weir.principal_organization(p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid) returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select a.organization_id from public.agents a
          where a.id = coalesce(weir.principal_agent(p_key_id, p_secret_hash, p_user_id, p_agent_id),
                                weir.principal_agent(p_key_id, p_secret_hash, p_user_id, p_agent_id, true)));
end;
$$;
grant execute on function weir.principal_organization to weir_engine;

reset role;

-- A grant's names of tools, prompts or resources as patterns of `like`. Everything that weir.granted_entries permits matches one of them.
-- Everything that matches is permitted, except for resources that climb (weir.climbs). Built once for each server: calling granted_entries
-- for each of its tools would be most of the cost of the list.
create function weir.granted_patterns(p_permissions jsonb, p_member text) returns text[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    -- The characters that `like` treats as special stand for themselves; only `*` is a wildcard of a grant.
    select replace(replace(replace(replace(n, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')
    from jsonb_path_query(
           p_permissions, case p_member when 'tools' then '$.tools.keyvalue().key' else '$.' || p_member || '[*]' end::jsonpath,
           silent => true) j,
         lateral (select j #>> '{}') s(n));
end;
$$;

-- Whether some URI of a template is granted. For lists only, since each URI is decided when it is read. Yes if a plain value in every
-- placeholder makes a granted URI. Yes also if the fixed ends of template and glob agree: the glob's beginning, up to its first `*`,
-- continues the template's, up to its first placeholder, and one end is the end of the other. It may list a template of which no URI can be
-- read; it never permits one.
create function weir.template_is_granted(p_permissions jsonb, p_template text) returns boolean
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_example constant text := regexp_replace(p_template, '\{[^}]*\}', 'x', 'g');
  v_begin constant text := split_part(p_template, '{', 1);
  v_end constant text := regexp_replace(p_template, '^.*\}', '');
begin
  return jsonb_typeof(p_permissions -> 'resources') = 'array' and exists (
    select from jsonb_array_elements_text(p_permissions -> 'resources') g
    cross join lateral (select split_part(g, '*', 1) as begins, reverse(split_part(reverse(g), '*', 1)) as ends) glob
    where weir.matches_uri_glob(v_example, g)
       or (v_example <> p_template and starts_with(glob.begins, v_begin)
           and (right(glob.ends, length(v_end)) = v_end or right(v_end, length(glob.ends)) = glob.ends and strpos(g, '*') > 0)));
end;
$$;

revoke all on function weir.granted_patterns, weir.template_is_granted from public;
grant execute on function weir.granted_patterns, weir.template_is_granted to weir_system;

set local role weir_system;

-- The tools of one agent in one statement: the agent with its organization's connection limit, its granted instances in any state, and each
-- item that is permitted, announced and approved and that can be listed to clients of some era (eras and needs say which). No row at all if
-- the principal is not valid, and one row of the kind `stopped` if it is switched off. p_instance_name null: all instances; p_kinds null:
-- items of all kinds. Definer: an agent is not a person, so no policy shows it any row; its verified key, or the person, identifies the
-- rows.
create function weir.agent_catalog(
  p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_name text, p_kinds text[] default null)
returns table (kind text, organization_id uuid, agent_id uuid, agent_name text, instance_id uuid, instance_name text, status text,
               share text, priority integer, item text, definition_hash bytea, chat_offline boolean, max_concurrent_connections integer,
               eras text[], needs text[], timeout_ms integer)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_agent record;
begin
  select a.id, a.organization_id, a.name, o.max_concurrent_connections into v_agent
  from public.agents a
  join public.organizations o on o.id = a.organization_id
  where a.id = weir.principal_agent(p_key_id, p_secret_hash, p_user_id, p_agent_id);
  -- No row, and no reason: the principal is not valid.
  if not found then
    return query
    select 'stopped', a.organization_id, a.id, a.name, null::uuid, null::text, null::text, null::text, null::integer, null::text,
           null::bytea, null::boolean, o.max_concurrent_connections, null::text[], null::text[], null::integer
    from public.agents a join public.organizations o on o.id = a.organization_id
    where a.id = weir.principal_agent(p_key_id, p_secret_hash, p_user_id, p_agent_id, true);
    return;
  end if;

  return query
  -- The conditions of a grant, except for those that weir.decide alone checks. The organization is compared too, though the foreign keys
  -- make it equal.
  with granted as materialized (
    select i.*, c.blocked_at,
           case when not i.is_active then 'switched_off' when c.blocked_at is not null then 'blocked' else i.status end as state,
           g.permissions, weir.granted_patterns(g.permissions, 'tools') as tools,
           weir.granted_patterns(g.permissions, 'prompts') as prompts,
           weir.granted_patterns(g.permissions, 'resources') as resources
    from public.agent_mcp_permissions g
    join public.mcp_server_instances i on i.id = g.mcp_server_instance_id and i.organization_id = g.organization_id
    left join public.mcp_server_catalog c on c.id = i.catalog_server_id
    where g.agent_id = v_agent.id and g.organization_id = v_agent.organization_id and g.revoked_at is null
      and (g.not_before is null or g.not_before <= clock_timestamp())
      and (g.expires_at is null or g.expires_at > clock_timestamp())
      and i.status not in ('deleting', 'deleted')
      and (p_instance_name is null or i.instance_name = p_instance_name)
  -- An instance is listed in any state, so that its names resolve and a caller learns that the server does not run. What a blocked one
  -- announces is not trusted: its items are for no era, so they are listed to no client but still resolve.
  ), items as (
    select 'instance' as kind, i.id, i.instance_name, i.state as status, i.share, i.priority, null::text as item, null::bytea as hash,
      null::boolean as offline, null::text[] as eras, null::text[] as needs, i.timeout_ms
    from granted i
    union all
    -- chat_offline: the tools that the admin permits the built-in `offline` model to call.
    select p.kind, i.id, i.instance_name, i.state, i.share, i.priority, p.name, p.definition_hash,
           p.kind = 'tool' and exists (select from unnest(i.chat_offline) g where weir.matches_glob(p.name, g)),
           case when i.blocked_at is not null then '{}' else p.eras end, p.needs, null
    from granted i
    join public.mcp_server_tools p on p.instance_id = i.id and p.organization_id = i.organization_id
    -- A resource that climbs is permitted by its exact name only, which the pattern does not tell.
    where p.announced and p.status = 'approved' and p.eras <> '{}' and (p_kinds is null or p.kind = any(p_kinds))
      and case p.kind when 'tool' then p.name like any(i.tools) when 'prompt' then p.name like any(i.prompts)
                      when 'template' then weir.template_is_granted(i.permissions, p.name)
                      else p.name like any(i.resources)
                           and (not weir.climbs(p.name) or weir.granted_entries(i.permissions, 'resource_read', p.name) is not null) end
  )
  -- The agent's own row comes first, even if nothing is granted, so an empty list differs from an invalid key.
  select 'agent', v_agent.organization_id, v_agent.id, v_agent.name, null, null, null, null, null, null, null, null,
         v_agent.max_concurrent_connections, null, null, null
  union all
  (select r.kind, v_agent.organization_id, v_agent.id, v_agent.name, r.id, r.instance_name, r.status, r.share, r.priority, r.item, r.hash,
          r.offline, null, r.eras, r.needs, r.timeout_ms
   from items r
   -- An order that does not depend on the database's collation: cursors of lists compare by it.
   order by r.priority, r.id, r.kind <> 'instance', r.kind, r.item collate "C", r.hash);
end;
$$;
grant execute on function weir.agent_catalog to weir_engine;

-- The bytes of definitions, for a replica's cache. The replica asks for hashes that agent_catalog has just returned, so the permission is
-- not checked again. Definer, and for the engine only.
create function weir.definitions(p_instance_ids uuid[], p_kinds text[], p_names text[], p_hashes bytea[])
returns table (instance_id uuid, kind text, name text, definition_hash bytea, definition text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select p.instance_id, p.kind, p.name, p.definition_hash, p.definition
  from unnest(p_instance_ids, p_kinds, p_names, p_hashes) w(instance_id, kind, name, hash)
  -- One index lookup for each; `offset 0` keeps the planner from reading all definitions of all tenants.
  join lateral (select t.* from public.mcp_server_tools t
                where t.instance_id = w.instance_id and t.kind = w.kind and t.name = w.name and t.definition_hash = w.hash
                offset 0) p on true;
end;
$$;
grant execute on function weir.definitions to weir_engine;

-- The tools that the agent may call, best first. agent_catalog gives the candidates, so a search finds only what the agent is shown. A tool
-- matches by any word of the query; a word of the name counts more than one of a parameter, and that more than one of the description. It
-- also matches by a name that shares half of its trigrams with the query, or the query with it. A query without a word gets the first
-- tools. No query raises. p_limit is 1 to 50, 10 by default. p_era and p_abilities: only what can be listed to a client of this era that
-- offers this; null: all. Definer: an agent is not a person; its verified key identifies the rows.
create function weir.find_tools(
  p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer,
  p_era text default null, p_abilities text[] default null)
returns table (instance_id uuid, instance_name text, status text, name text, definition_hash bytea, rank real)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_text constant text := weir.search_words(left(coalesce(p_query, ''), 500));
  v_trigrams constant text[] := weir.trigrams(v_text);
  v_words tsquery;
  v_word text;
begin
  -- Words are joined by `or`. They are stemmed already, hence `simple`.
  foreach v_word in array tsvector_to_array(to_tsvector('pg_catalog.english', v_text)) loop
    v_words := coalesce(v_words || plainto_tsquery('pg_catalog.simple', v_word), plainto_tsquery('pg_catalog.simple', v_word));
  end loop;
  return query
  select c.instance_id, c.instance_name, c.status, c.item, c.definition_hash, s.rank
  from weir.agent_catalog(p_key_id, p_secret_hash, p_user_id, p_agent_id, null, array['tool']) with ordinality c
  -- Looked up by the primary key, one for each candidate. Shared trigrams are counted by ts_delete, which runs in C.
  cross join lateral (select t.terms, t.name_trigrams,
                             length(t.name_trigrams) - length(ts_delete(t.name_trigrams, v_trigrams)) as shared
                      from public.mcp_server_tools t
                      where t.instance_id = c.instance_id and t.kind = 'tool' and t.name = c.item
                        and t.definition_hash = c.definition_hash offset 0) t
  cross join lateral (select greatest(t.shared::real / nullif(length(t.name_trigrams), 0),
                                      t.shared::real / nullif(cardinality(v_trigrams), 0))
                      as likeness offset 0) l
  -- Similarity adds at most a tenth: a word that is present ranks above a name that is similar to it.
  cross join lateral (select (coalesce(ts_rank('{0.05, 0.1, 0.4, 1}', t.terms, v_words), 0)
                              + coalesce(l.likeness, 0) * 0.1)::real as rank) s
  where c.kind = 'tool' and c.eras <> '{}' and (p_era is null or p_era = any(c.eras)) and (p_abilities is null or c.needs <@ p_abilities)
    and (v_trigrams = '{}' or t.terms @@ v_words or l.likeness >= 0.5)
  -- Equal ranks keep the order of agent_catalog.
  order by s.rank desc, c.ordinality
  limit least(greatest(coalesce(p_limit, 10), 1), 50);
end;
$$;
grant execute on function weir.find_tools to weir_engine;

reset role;
