-- What servers announce: tools, prompts, templates and resources. An approval is bound to the hash of a definition, so a server cannot
-- change what an admin approved.

-- The words of a name or a sentence, split where a person would read a new word, as in `readFile`, `read_file` and `HTTPServer`.
create function weir.search_words(p_text text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return translate(regexp_replace(regexp_replace(p_text, '([[:lower:][:digit:]])([[:upper:]])', '\1 \2', 'g'),
                                  '([[:upper:]]+)([[:upper:]][[:lower:]])', '\1 \2', 'g'), '_-./:', '     ');
end;
$$;

-- The distinct trigrams of each word, with two blanks before the word and one after it: a misspelled word keeps most of its trigrams. It
-- uses loops, because the same as a query takes twenty times as long, and every recorded tool needs it. At most 500 characters of input.
create function weir.trigrams(p_text text) returns text[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_word text;
  v_trigrams text[] := '{}'::text[];
begin
  foreach v_word in array regexp_split_to_array(lower(weir.search_words(left(p_text, 500))), '[^[:alnum:]]+') loop
    for v_n in 1 .. case v_word when '' then 0 else length(v_word) + 1 end loop
      v_trigrams := v_trigrams || substr('  ' || v_word || ' ', v_n, 3);
    end loop;
  end loop;
  -- Sorted, and each once.
  return tsvector_to_array(array_to_tsvector(v_trigrams));
end;
$$;

-- The words by which a tool is found, weighted: its name (A), its parameters' names (B), its title and description (C). Null for other
-- kinds. A server wrote the definition: this function must not raise for any text, because then the definition could not be recorded.
-- Immutable, for a generated column.
create function weir.tool_terms(p_kind text, p_name text, p_definition text) returns tsvector
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_definition jsonb := '{}'::jsonb;
begin
  if p_kind <> 'tool' then
    return null;
  end if;
  begin
    v_definition := p_definition::jsonb;
  exception
    when data_exception then
      null;  -- it is found by its name only
  end;
  -- A definition that is too large or too deep is found by its name only.
  if weir.bounds_error(v_definition, 1048576) is not null then
    v_definition := '{}'::jsonb;
  end if;
  return setweight(to_tsvector('pg_catalog.english', weir.search_words(p_name)), 'A')
    || setweight(to_tsvector('pg_catalog.english', weir.search_words(coalesce(left((
         select string_agg(k, ' ') from jsonb_object_keys(
           case when jsonb_typeof(v_definition #> '{inputSchema,properties}') = 'object' then v_definition #> '{inputSchema,properties}'
                else '{}' end) k), 16384), ''))), 'B')
    || setweight(to_tsvector('pg_catalog.english',
                             left(concat_ws(' ', v_definition ->> 'title', v_definition ->> 'description'), 16384)), 'C');
end;
$$;

revoke all on function weir.search_words, weir.trigrams, weir.tool_terms from public;
-- weir_writer needs them too: an approval updates the row, and because the table has BEFORE triggers PostgreSQL computes its generated
-- columns again, as the writer.
grant execute on function weir.search_words, weir.trigrams, weir.tool_terms to weir_system, weir_writer;

-- A definition of a tool, prompt or template that the server announced, known by its hash, with its approval. A name may have several
-- approved hashes, and may be called while the announced one is among them. So a server cannot change what its tool claims to do after it
-- was approved.
-- Resources are rows too but have no approval of their own: they are the last good copy of the server's list and always approved, because
-- each read is decided by its URI.
create table public.mcp_server_tools (
  organization_id uuid not null,
  instance_id uuid not null,
  kind text not null,
  name text not null,
  definition_hash bytea not null,
  -- Text and not jsonb, so that clients get the bytes that were announced.
  definition text not null,
  status text not null,
  -- Text in the definition that people cannot see, and where. Such a definition waits for an admin, whatever the policy. Null: there is
  -- none.
  warning text,
  -- Whether the server's newest list has it.
  announced boolean not null,
  -- The eras of clients to which it can be listed: `legacy` with sessions, `modern` without. Empty: it is not listed.
  eras text[] not null default '{legacy,modern}',
  -- What a client must offer to servers for this server to announce it; empty: nothing.
  needs text[] not null default '{}',
  -- Why it is not listed, or not to all: `malformed` or `unsupported`, the member that is wrong, and a sentence for an admin. Null: nothing
  -- is wrong.
  fault text,
  fault_path text,
  fault_reason text,
  first_seen_at timestamptz not null default clock_timestamp(),
  approved_at timestamptz,
  -- Null if the policy approved it, and after that user was deleted.
  approved_by uuid,
  -- Generated, so that the words are always those of the definition.
  terms tsvector generated always as (weir.tool_terms(kind, name, definition)) stored,
  name_trigrams tsvector
    generated always as (case when kind = 'tool' then array_to_tsvector(weir.trigrams(name)) end) stored,
  -- Begins with the instance, because admission finds a definition by instance, kind and name.
  constraint mcp_server_tools_pkey primary key (instance_id, kind, name, definition_hash),
  constraint mcp_server_tools_kind_is_known check (kind in ('tool', 'prompt', 'template', 'resource')),
  constraint mcp_server_tools_resource_is_no_pin check (kind <> 'resource' or (status = 'approved' and warning is null)),
  constraint mcp_server_tools_status_is_known check (status in ('approved', 'quarantined', 'rejected')),
  constraint mcp_server_tools_name_is_at_most_1_kib_and_a_uri_2
    check (octet_length(name) between 1 and case kind when 'resource' then 2048 else 1024 end),
  constraint mcp_server_tools_hash_is_sha256 check (octet_length(definition_hash) = 32),
  constraint mcp_server_tools_definition_is_at_most_256_kib check (octet_length(definition) <= 262144),
  constraint mcp_server_tools_eras_are_known check (eras <@ '{legacy,modern}'),
  constraint mcp_server_tools_fault_has_a_reason check (
    case when fault is null then num_nonnulls(fault_path, fault_reason) = 0
         else fault in ('malformed', 'unsupported') and fault_reason is not null end),
  constraint mcp_server_tools_fault_is_short check (length(fault_path) <= 300 and length(fault_reason) <= 600),
  constraint mcp_server_tools_warning_is_short check (length(warning) between 1 and 500),
  constraint mcp_server_tools_approved_with_time check (status <> 'approved' or approved_at is not null),
  constraint mcp_server_tools_instance_of_the_organization
    foreign key (organization_id, instance_id) references public.mcp_server_instances (organization_id, id) on delete cascade,
  constraint mcp_server_tools_approved_by foreign key (approved_by) references auth.users (id) on delete set null
);
alter table public.mcp_server_tools enable row level security, force row level security;
revoke all on public.mcp_server_tools from public, anon, authenticated, service_role;
comment on table public.mcp_server_tools is
  'tenant: definitions of an instance''s tools, prompts and templates with their approval, and its resources';
-- For the policies, which begin with the organization, and for the foreign key.
create index mcp_server_tools_instance_idx on public.mcp_server_tools (organization_id, instance_id);
create index mcp_server_tools_approved_by_idx on public.mcp_server_tools (approved_by);

-- Members see all definitions of the organization; only admins decide, in their own name, and only to approve or to reject.
create policy pins_are_seen_by_members on public.mcp_server_tools for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
create policy pins_are_decided_by_admins on public.mcp_server_tools for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))))
  with check ((status = 'approved' and approved_by = (select weir.actor_id())) or (status = 'rejected' and approved_by is null));
-- weir_system writes what is announced. It may not update the status: only admins decide about a definition that is there.
create policy pins_are_kept_by_the_engine on public.mcp_server_tools for all to weir_system using (true) with check (true);
-- A definition that was decided or is announced is history and cannot be deleted. Restrictive, so that it applies besides
-- pins_are_kept_by_the_engine.
create policy only_what_nobody_decided_is_forgotten on public.mcp_server_tools as restrictive for delete to weir_system
  using (kind = 'resource' or (status = 'quarantined' and not announced));
grant select (organization_id, instance_id, kind, name, definition_hash, definition, status, warning, announced, eras, needs, fault,
        fault_path, fault_reason, first_seen_at, approved_at, approved_by) on public.mcp_server_tools to authenticated;
grant select, update (status, approved_at, approved_by) on public.mcp_server_tools to weir_writer;
grant select,
      insert (organization_id, instance_id, kind, name, definition_hash, definition, status, warning, announced, eras, needs, fault,
        fault_path, fault_reason, approved_at),
      update (announced, eras, needs, fault, fault_path, fault_reason),
      delete on public.mcp_server_tools to weir_system;

-- A row is the approval of one definition: only its status, and whether and to whom it is announced, may change.
create function weir.guard_pin() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if (old.organization_id, old.instance_id, old.kind, old.name, old.definition_hash, old.definition)
     is distinct from (new.organization_id, new.instance_id, new.kind, new.name, new.definition_hash, new.definition) then
    raise exception using errcode = 'WR005', message = 'a recorded definition cannot be changed: record the new one as another row';
  end if;
  return new;
end;
$$;

revoke all on function weir.guard_pin from public;

create trigger a_guard_pin before update on public.mcp_server_tools for each row execute function weir.guard_pin();
-- Resources are excluded: no decision reads them, and their lists change often. record_resources counts those changes itself.
create trigger b_pin_change before insert or update on public.mcp_server_tools
  for each row when (new.kind <> 'resource') execute function weir.on_permission_change();
create trigger b_pin_removal before delete on public.mcp_server_tools
  for each row when (old.kind <> 'resource') execute function weir.on_permission_change();
create trigger not_truncated before truncate on public.mcp_server_tools for each statement execute function weir.refuse_truncate();

-- One announced definition. eras: the protocol eras to whose clients it can be listed; needs: what a client must offer for the server to
-- announce it; warning: text that people cannot see; fault, fault_path, fault_reason: why it is not listed, or not to all. Without eras and
-- without needs it is left out: it is not listed.
create type weir.announced_item as (kind text, name text, hash bytea, definition text, warning text, eras text[], needs text[],
                                    fault text, fault_path text, fault_reason text);
revoke all on type weir.announced_item from public;
grant usage on type weir.announced_item to weir_system;

-- Whether the announced definitions of these kinds, or the clients they are listed to, differ from what is stored. Checked first, without a
-- lock: nearly every refresh changes nothing, and then no call has to wait.
create function weir.announces_otherwise(p_instance_id uuid, p_kinds text[], p_items weir.announced_item[]) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select a.kind, a.name, a.hash, a.eras, a.needs, a.fault_reason from unnest(p_items) a where a.kind = any(p_kinds)
                 except select t.kind, t.name, t.definition_hash, t.eras, t.needs, t.fault_reason from public.mcp_server_tools t
                        where t.instance_id = p_instance_id and t.kind = any(p_kinds) and t.announced)
      or exists (select t.kind, t.name, t.definition_hash from public.mcp_server_tools t
                 where t.instance_id = p_instance_id and t.kind = any(p_kinds) and t.announced
                 except select a.kind, a.name, a.hash from unnest(p_items) a where a.kind = any(p_kinds));
end;
$$;

-- Records each new definition that waits for an admin or is left out: the first twenty by name, the rest as one number, so that one
-- announcement cannot fill the audit log.
create function weir.record_quarantine(
  p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[], p_reasons text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform weir.record_event('lifecycle', p_organization_id, p_instance_id => p_instance_id, p_item => 'quarantine',
                            p_detail => format('%s %s %s: %s', a.kind, encode(a.hash, 'hex'), p_reasons[a.n], weir.cut(a.name, 200)))
  from (select u.*, u.ordinality as n from unnest(p_items) with ordinality u) a where a.n <= 20;
  if cardinality(p_items) > 20 then
    perform weir.record_event('lifecycle', p_organization_id, p_instance_id => p_instance_id, p_item => 'quarantine',
                              p_detail => format('%s more', cardinality(p_items) - 20));
  end if;
end;
$$;

-- Replaces the list of resources. Resources need no approval, because no decision depends on them: they are approved as they come, and
-- count_change only tells replicas. Of those that are left out, the newest 200 that are no longer announced stay. So a server that
-- announces them again and again has each in the audit log once.
create function weir.record_resources(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_items weir.announced_item[];
begin
  -- Resources that are gone or are listed differently are deleted, except for those that were left out.
  delete from public.mcp_server_tools t
  where t.instance_id = p_instance_id and t.kind = 'resource'
    and not exists (select from unnest(p_items) a
                    where a.kind = 'resource' and a.name = t.name and a.hash = t.definition_hash
                      and (a.eras, a.needs, a.fault_reason) is not distinct from (t.eras, t.needs, t.fault_reason))
    and (t.eras <> '{}' or t.needs <> '{}'
         or exists (select from unnest(p_items) a
                    where a.kind = 'resource' and a.name = t.name
                      and a.hash = t.definition_hash));
  -- Resources that were left out before and are announced again, or the reverse.
  update public.mcp_server_tools t
  set announced = not t.announced
  where t.instance_id = p_instance_id and t.kind = 'resource'
    and t.announced <> exists (select from unnest(p_items) a
                               where a.kind = 'resource' and a.name = t.name and a.hash = t.definition_hash);
  -- Only the newest 200 are kept.
  delete from public.mcp_server_tools t
  using (select x.name, x.definition_hash from public.mcp_server_tools x
         where x.instance_id = p_instance_id and x.kind = 'resource' and not x.announced
         order by x.first_seen_at desc, x.name, x.definition_hash offset 200) old
  where t.instance_id = p_instance_id and t.kind = 'resource' and t.name = old.name and t.definition_hash = old.definition_hash;
  with added as (
    insert into public.mcp_server_tools as t (organization_id, instance_id, kind, name, definition_hash, definition, status, announced,
                                              eras, needs, fault, fault_path, fault_reason, approved_at)
    select p_organization_id, p_instance_id, a.kind, a.name, a.hash, a.definition, 'approved', true,
           a.eras, a.needs, a.fault, a.fault_path, a.fault_reason, clock_timestamp()
    from unnest(p_items) a
    where a.kind = 'resource'
      and not exists (select from public.mcp_server_tools t
                      where t.instance_id = p_instance_id and t.kind = 'resource'
                        and t.name = a.name and t.definition_hash = a.hash)
    returning t.name, t.definition_hash
  )
  -- Only resources that are new and left out are recorded.
  select array_agg(a order by a.name, a.hash) into v_items
  from added d join unnest(p_items) a on a.kind = 'resource' and a.name = d.name and a.hash = d.definition_hash
  where a.eras = '{}' and a.needs = '{}';
  if v_items is not null then
    perform weir.record_quarantine(p_organization_id, p_instance_id, v_items,
                                   array(select concat_ws(' at ', a.fault, a.fault_path)
                                         from unnest(v_items) with ordinality a order by a.ordinality));
  end if;
  perform weir.count_change(p_organization_id);
end;
$$;

-- Writes new and changed definitions. A definition with a known hash keeps its status. With p_trusted a new name is approved, and with
-- p_updated everything new, but never a definition with text that people cannot see (warning), nor one that is left out. A new hash of a
-- known name, and everything else, waits for an admin. A name that was only left out so far counts as new. The caller holds the
-- organization's lock.
create function weir.record_pins(
  p_organization_id uuid, p_instance_id uuid, p_kinds text[], p_items weir.announced_item[], p_trusted boolean, p_updated boolean,
  out new_pins integer, out changed_pins integer, out quarantined integer)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_items weir.announced_item[];
  v_reasons text[];
begin
  -- Each announced definition with its approval, by what was known before this statement.
  with announced as materialized (
    select a.*, k.name_known, l.is_left_out,
           a.warning is null and not l.is_left_out and (p_updated or p_trusted and not k.name_known) as is_approved
    from unnest(p_items) a
    cross join lateral (select a.eras = '{}' and a.needs = '{}' as is_left_out) l
    cross join lateral (select exists (select from public.mcp_server_tools t
                                       where t.instance_id = p_instance_id and t.kind = a.kind and t.name = a.name
                                         and (t.eras <> '{}' or t.needs <> '{}')) as name_known) k
    where a.kind = any(p_kinds)
  ), pinned as (
    insert into public.mcp_server_tools as t (organization_id, instance_id, kind, name, definition_hash, definition, status, warning,
                                              announced, eras, needs, fault, fault_path, fault_reason, approved_at)
    select p_organization_id, p_instance_id, a.kind, a.name, a.hash, a.definition,
           case when a.is_approved then 'approved' else 'quarantined' end, a.warning, true, a.eras, a.needs, a.fault, a.fault_path,
           a.fault_reason, case when a.is_approved then clock_timestamp() end
    from announced a
    -- Not by `on conflict`: the trigger that takes the organization's lock would run for rows that exist.
    where not exists (select from public.mcp_server_tools t
                      where t.instance_id = p_instance_id and t.kind = a.kind and t.name = a.name and t.definition_hash = a.hash)
    returning t.kind, t.name, t.definition_hash
  -- Whether a definition is announced, and to whom it is listed, may change without approval; only rows that differ are written.
  ), switched as (
    update public.mcp_server_tools t
    set announced = s.is_announced, eras = s.eras, needs = s.needs, fault = s.fault, fault_path = s.fault_path,
        fault_reason = s.fault_reason
    -- A definition that is no longer announced keeps its eras and faults.
    from (select x.kind, x.name, x.definition_hash, a.hash is not null as is_announced,
                 case when a.hash is null then x.eras else a.eras end as eras,
                 case when a.hash is null then x.needs else a.needs end as needs,
                 case when a.hash is null then x.fault else a.fault end as fault,
                 case when a.hash is null then x.fault_path else a.fault_path end as fault_path,
                 case when a.hash is null then x.fault_reason else a.fault_reason end as fault_reason
          from public.mcp_server_tools x
          left join announced a on a.kind = x.kind and a.name = x.name and a.hash = x.definition_hash
          where x.instance_id = p_instance_id and x.kind = any(p_kinds)) s
    where t.instance_id = p_instance_id and t.kind = s.kind and t.name = s.name and t.definition_hash = s.definition_hash
      and (t.announced, t.eras, t.needs, t.fault, t.fault_path, t.fault_reason)
          is distinct from (s.is_announced, s.eras, s.needs, s.fault, s.fault_path, s.fault_reason)
  )
  -- Counts and events are of new definitions only; a repeated announcement records nothing.
  select count(*) filter (where not a.name_known and not a.is_left_out)::integer,
         count(*) filter (where a.name_known and not a.is_left_out)::integer,
         count(*) filter (where not a.is_approved and not a.is_left_out)::integer,
         array_agg(row(a.kind, a.name, a.hash, null, null, null, null, null, null, null)::weir.announced_item
                   order by a.kind, a.name, a.hash)
           filter (where not a.is_approved),
         array_agg(coalesce(case when a.is_left_out then concat_ws(' at ', a.fault, a.fault_path) end, a.warning,
                            case when a.name_known then 'changed' else 'new' end) order by a.kind, a.name, a.hash)
           filter (where not a.is_approved)
  into new_pins, changed_pins, quarantined, v_items, v_reasons
  from pinned p join announced a on a.kind = p.kind and a.name = p.name and a.hash = p.definition_hash;

  if v_items is not null then
    perform weir.record_quarantine(p_organization_id, p_instance_id, v_items, v_reasons);
    -- A server that announces something else each time must not fill the disk.
    delete from public.mcp_server_tools t
    using (select x.kind, x.name, x.definition_hash from public.mcp_server_tools x
           where x.instance_id = p_instance_id and x.kind = any(p_kinds) and x.status = 'quarantined' and not x.announced
           order by x.first_seen_at desc, x.kind, x.name, x.definition_hash offset 200) old
    where t.instance_id = p_instance_id and t.kind = old.kind and t.name = old.name and t.definition_hash = old.definition_hash;
  end if;
end;
$$;

revoke all on function weir.announces_otherwise, weir.record_quarantine, weir.record_resources, weir.record_pins from public;
grant execute on function weir.announces_otherwise, weir.record_quarantine, weir.record_resources, weir.record_pins to weir_system;

set local role weir_system;

-- Leases running instances whose lists must be read: never read in this generation, due, or read longer ago than p_max_age. Organizations
-- alternate. A replica asks at most p_share instances of one organization at one node (or of its remote servers) at once, and twice as many
-- of all organizations at one node, so servers that hang delay only their own organization and node. p_running_organizations and
-- p_running_nodes name what this replica asks now. Definer: replicas serve all organizations.
-- force_custom_plan and seqscan (decision 0061): it reads everything that is due, so it is planned for the current data.
create function weir.instances_to_refresh(
  p_replica_id uuid, p_limit integer, p_lease interval, p_max_age interval, p_share integer default 8,
  p_running_organizations uuid[] default '{}', p_running_nodes uuid[] default '{}')
returns table (organization_id uuid, instance_id uuid, instance_name text, endpoint_url text, node_id uuid, share text,
               generation bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = on
as $$
#variable_conflict use_column
begin
  return query
  with waiting as (
    select i.id, i.node_id, i.refreshed_at,
           i.organization_id,
           row_number() over (partition by i.organization_id, i.node_id order by i.refreshed_at nulls first, i.id) as turn
    from public.mcp_server_instances i
    where i.status in ('running', 'degraded')
      and (i.refreshed_generation is distinct from i.generation or i.refresh_at <= clock_timestamp()
           or i.refreshed_at < clock_timestamp() - p_max_age)
      and (i.refresh_lease_until is null or i.refresh_lease_until < clock_timestamp())
  -- Instances that this replica is asking already count against the organization's share.
  ), placed as (
    select w.*, row_number() over (partition by w.node_id order by w.turn, w.refreshed_at nulls first, w.id) as place
    from waiting w
    where w.turn <= p_share
      and w.turn + (select count(*) from unnest(p_running_organizations, p_running_nodes) r(organization_id, node_id)
                    where r.organization_id = w.organization_id and r.node_id is not distinct from w.node_id) <= p_share
  ), due as (
    select i.id, clock_timestamp() + p_lease as lease_until
    from placed p
    join public.mcp_server_instances i on i.id = p.id
    -- Checked again: another replica may have taken it since.
    where (i.refresh_lease_until is null or i.refresh_lease_until < clock_timestamp())
      and (p.node_id is null
           or p.place + (select count(*) from unnest(p_running_nodes) r(node_id) where r.node_id = p.node_id) <= p_share * 2)
    order by p.turn, p.refreshed_at nulls first, i.id
    limit greatest(p_limit, 0)
    -- Never waits: a refresh is not worth waiting for another transaction.
    for no key update of i skip locked
  ), leased as (
    update public.mcp_server_instances i
    set refresh_by = p_replica_id, refresh_lease_until = due.lease_until,
        -- If the replica dies, it is due again when the lease ends. refresh_soon sets an earlier time meanwhile.
        refresh_at = due.lease_until
    from due where i.id = due.id
    returning i.*
  )
  select l.organization_id, l.id, l.instance_name, weir.endpoint_url(l.url, n.api_url, l.id), l.node_id, l.share, l.generation
  from leased l left join weir.dtma_nodes n on n.id = l.node_id
  order by l.id;
end;
$$;
grant execute on function weir.instances_to_refresh to weir_engine;

-- The server announced a change of its lists: read them soon, but not within half a second of the last answer, however often it announces.
-- Returns whether this call changed anything. A change that is announced while a replica reads is not lost: record_definitions sees the
-- earlier time. Definer: a replica receives notifications from servers of all organizations.
create function weir.refresh_soon(p_instance_id uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.mcp_server_instances i
  set refresh_at = s.moment
  from (select x.id, greatest(clock_timestamp(), x.refreshed_at + interval '500 milliseconds') as moment
        from public.mcp_server_instances x where x.id = p_instance_id) s
  where i.id = s.id and i.status in ('running', 'degraded') and coalesce(i.refresh_at > s.moment, true);
  return found;
end;
$$;
grant execute on function weir.refresh_soon to weir_engine;

-- Records what an instance announced: the whole set of the kinds that were listed (p_listed); of other kinds the last good list stays.
-- Nothing is written if the instance has another generation by now. Definer: definitions come from servers, never from a person.
-- trust_first approves new names within ten minutes of the instance's first running. It also approves all that a catalog version announces
-- first after an admin has updated to it.
-- p_ttl: how long the server states that its lists are valid. They are read again after that, but not within five seconds. p_eras and
-- p_needs: of each item, separated by commas. p_keeps_needing: kinds whose items for clients that offer something could not be read this
-- time; those items stay as they are.
create function weir.record_definitions(
  p_instance_id uuid, p_generation bigint, p_kinds text[], p_names text[], p_hashes bytea[], p_definitions text[], p_server_info jsonb,
  p_warnings text[] default null, p_listed text[] default array['tool', 'prompt', 'template', 'resource'], p_ttl interval default null,
  p_eras text[] default null, p_needs text[] default null, p_faults text[] default null, p_fault_paths text[] default null,
  p_fault_reasons text[] default null, p_keeps_needing text[] default '{}', p_capabilities jsonb default null)
returns table (new_pins integer, changed_pins integer, quarantined integer)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_instance public.mcp_server_instances;
  v_pins constant text[] := array_remove(p_listed, 'resource');
  v_items weir.announced_item[];
  v_resources boolean;
begin
  -- If a name is announced twice, the first counts. Items that are left out may share a name with others, or have none.
  v_items := array(select row(a.kind, a.name, a.hash, a.definition, a.warning, a.eras, a.needs, a.fault, a.fault_path,
                              a.fault_reason)::weir.announced_item
                   from (select distinct on (i.kind, i.name, i.left_out) i.*
                         from (select u.kind, u.name, u.hash, u.definition, u.warning, u.fault, u.fault_path, u.fault_reason, u.n,
                                      string_to_array(coalesce(u.eras, 'legacy,modern'), ',') as eras,
                                      string_to_array(coalesce(u.needs, ''), ',') as needs,
                                      case when u.eras = '' and u.needs = '' then u.hash end as left_out
                               from unnest(p_kinds, p_names, p_hashes, p_definitions, p_warnings, p_eras, p_needs, p_faults, p_fault_paths,
                                           p_fault_reasons) with ordinality
                                    u(kind, name, hash, definition, warning, eras, needs, fault, fault_path, fault_reason, n)) i
                         order by i.kind, i.name, i.left_out, i.n) a);
  -- Kinds that could not be read for such clients this time: what is stored for them counts as announced.
  if p_keeps_needing <> '{}' then
    v_items := v_items || array(
      select row(t.kind, t.name, t.definition_hash, t.definition, t.warning, t.eras, t.needs, t.fault, t.fault_path,
                 t.fault_reason)::weir.announced_item
      from public.mcp_server_tools t
      where t.instance_id = p_instance_id and t.announced and t.needs <> '{}' and t.kind = any(p_keeps_needing)
        and not exists (select from unnest(v_items) a where a.kind = t.kind and a.name = t.name));
  end if;
  -- The organization's lock blocks calls, so it is taken only if definitions differ, and before the row's. For new resources it is taken in
  -- shared mode: no call waits, and transactions that hold it exclusively are excluded.
  v_resources := 'resource' = any(p_listed) and weir.announces_otherwise(p_instance_id, array['resource'], v_items);
  if weir.announces_otherwise(p_instance_id, v_pins, v_items) then
    perform weir.lock_organization(i.organization_id) from public.mcp_server_instances i where i.id = p_instance_id;
  elsif v_resources then
    perform pg_advisory_xact_lock_shared(weir.lock_key(i.organization_id)) from public.mcp_server_instances i where i.id = p_instance_id;
  end if;
  -- An answer of an older generation comes from a server that was replaced.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update;
  if not found or v_instance.generation <> p_generation then
    return query select 0, 0, 0;
    return;
  end if;

  -- Trusted: the first ten minutes. Updated: the first answer in the generation that an admin's update of the catalog version began.
  return query select r.* from weir.record_pins(
    v_instance.organization_id, p_instance_id, v_pins, v_items,
    v_instance.pin_policy = 'trust_first' and coalesce(clock_timestamp() < v_instance.first_running_at + interval '10 minutes', false),
    v_instance.pin_policy = 'trust_first' and coalesce(v_instance.approved_generation = p_generation, false)
      and v_instance.refreshed_generation is distinct from p_generation) r;
  if v_resources then
    perform weir.record_resources(v_instance.organization_id, p_instance_id, v_items);
  end if;
  -- The lease ends, and the next time to read is set. A server_info or capabilities value that is too large is ignored, and the last good
  -- value stays.
  update public.mcp_server_instances i
  set refreshed_generation = p_generation, refreshed_at = clock_timestamp(), refresh_by = null, refresh_lease_until = null,
      refresh_at = clock_timestamp() + case
        -- refresh_soon was called while the lists were read.
        when i.refresh_at < i.refresh_lease_until then interval '500 milliseconds'
        when p_ttl < interval '5 seconds' then interval '5 seconds'
        else p_ttl end,
      server_info = coalesce(case when weir.bounds_error(p_server_info, 65536) is null then p_server_info end, i.server_info),
      capabilities = coalesce(case when jsonb_typeof(p_capabilities) = 'object' and weir.bounds_error(p_capabilities, 65536) is null
                                   then p_capabilities end, i.capabilities)
  where i.id = p_instance_id;
end;
$$;
grant execute on function weir.record_definitions to weir_engine;

reset role;
