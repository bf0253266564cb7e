-- How an organization reads its audit log.

-- Whether a value is a time as JSON writes it. The pattern admits nothing that a cast reads in its own way (`now`, `infinity`); a value
-- that the cast still refuses is not a time.
create function weir.is_time(p_value jsonb) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(p_value) <> 'string' or (p_value #>> '{}') !~ '^[12][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-9:.]{5,15}(Z|[+-][0-9:]{2,5})?$' then
    return false;
  end if;
  return (p_value #>> '{}')::timestamptz is not null;
exception
  when data_exception then
    return false;
end;
$$;

-- The members of a filter, as its errors list them.
create function weir.audit_filter_names() returns text
language sql immutable parallel safe
  return 'since, until, agent_id, mcp_server_instance_id, user_id, interaction_type, phase, tool, reason, outcome, merged';

-- What is wrong with a filter, or null. An unknown member is an error: if it were ignored, the answer would show more than was requested.
-- So is a value that no row can have, because a misspelled one would look like an audit log without such rows.
create function weir.audit_filter_error(p_filter jsonb) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_value jsonb;
  v_text text;
  v_valid boolean;
begin
  if p_filter is null then
    return null;
  elsif weir.bounds_error(p_filter, 16384) is not null then
    return 'filter ' || weir.bounds_error(p_filter, 16384);
  elsif jsonb_typeof(p_filter) <> 'object' then
    return 'filter must be an object';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_filter) e limit 100 loop
    v_text := case when jsonb_typeof(v_value) = 'string' then v_value #>> '{}' end;
    begin
      v_valid := case
        when v_key in ('since', 'until') then weir.is_time(v_value)
        when v_key in ('agent_id', 'mcp_server_instance_id', 'user_id') then
          v_text ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
        when v_key = 'interaction_type' then v_text::weir.log_kind is not null
        when v_key = 'phase' then v_text::weir.log_phase is not null
        when v_key = 'reason' then v_text::weir.log_reason is not null
        when v_key = 'outcome' then v_text::weir.log_outcome is not null
        when v_key = 'tool' then octet_length(v_text) between 1 and 4096
        when v_key = 'merged' then jsonb_typeof(v_value) = 'boolean'
      end;
    exception
      when check_violation then v_valid := false;
    end;
    if v_valid is null and not v_key = any(string_to_array(weir.audit_filter_names(), ', ')) then
      return format('filter.%s is not known: a filter has %s', left(v_key, 64), weir.audit_filter_names());
    elsif v_valid is not true then
      return format('filter.%s is not valid', v_key);
    end if;
  end loop;
  return null;
end;
$$;

-- What is wrong with p_before, or null. It is only a position in the order of rows: what may be read from there on is decided again.
create function weir.audit_cursor_error(p_before jsonb) returns text
language sql stable
begin atomic
  select case when weir.bounds_error(p_before, 4096) is not null then 'before ' || weir.bounds_error(p_before, 4096)
              when p_before is not null
                and (jsonb_typeof(p_before) <> 'object' or not p_before ?& array['created_at', 'id', 'phase']
                     or p_before - array['created_at', 'id', 'phase'] <> '{}' or not weir.is_time(p_before -> 'created_at')
                     or coalesce(p_before ->> 'id', '') !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
                     or coalesce(p_before ->> 'phase', '') not in ('requested', 'denied', 'completed'))
              then 'before must be the next of the previous page' end;
end;

-- The code that a caller gets for the reason of a denial; null for none. Denials.cs and weir.refuse have the same pairs, and a test
-- compares them.
create function weir.reason_code(p_reason text) returns text
language sql immutable parallel safe
  return case
    when p_reason in ('invalid_argument', 'invalid_request') then 'WR001'
    when p_reason in ('key_unknown', 'key_expired', 'key_revoked', 'agent_inactive', 'organization_inactive', 'member_inactive',
                      'unauthenticated') then 'WR002'
    when p_reason in ('user_forbidden', 'forbidden', 'catalog_blocked', 'agent_stopped', 'server_stopped', 'organization_stopped',
                      'platform_stopped') then 'WR003'
    when p_reason in ('unknown', 'instance_unknown', 'no_grant', 'grant_expired', 'item_not_granted', 'definition_not_approved',
                      'not_found') then 'WR004'
    when p_reason = 'conflict' then 'WR005' when p_reason = 'quota_exceeded' then 'WR006' when p_reason = 'changing' then 'WR007'
    when p_reason in ('limit', 'rate_limited') then 'WR008' when p_reason = 'undecided' then 'WR009'
    when p_reason = 'not_supported' then 'WR010' when p_reason = 'argument_rule' then 'WR011' when p_reason = 'unavailable' then 'WR015'
    when p_reason = 'error' then 'WR500' end;

-- The copy of a body as JSON, or as a string if it was cut or is not JSON. It also stays a string if it has a number of more than 40
-- digits, because jsonb prints `1e100000` with all its zeros: a page of a thousand copies of 4 KiB could become gigabytes.
create function weir.copy_data(p_copy text) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_data jsonb;
begin
  v_data := p_copy::jsonb;
  -- Only numbers with an exponent can grow; written-out digits are already part of the copy's size.
  if p_copy ~ '[0-9.][eE][+-]?[0-9]{2}'
     and exists (select from jsonb_path_query(v_data, 'strict $.** ? (@.type() == "number")') n
                 where abs(n::numeric) >= 1e40 or scale(n::numeric) > 40) then
    return to_jsonb(p_copy);
  end if;
  return v_data;
exception
  when data_exception or program_limit_exceeded then
    return to_jsonb(p_copy);
end;
$$;

-- One page of an organization's audit log, only that person's rows if p_user_id is not null. Not a definer, and without a permission check:
-- its callers (weir.read_audit, weir.read_with_key) have checked the caller, the filter and the cursor, so no cast raises.
--
-- Time, agent, server and person are found in the index (decision 0010). The other filters need the rows themselves, of which a page reads
-- 20,000 at most: if few of them match, the page is shorter, or empty, and `next` continues after the last row that was read. With
-- `merged`, the row of an outcome is read together with that of its request, which is the row before it, and is not a row of its own.
--
-- force_custom_plan: only a plan for the given filter compares agent, server and person in the index.
create function weir.audit_page(p_organization_id uuid, p_user_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
as $$
declare
  v_merged constant boolean := coalesce((p_filter ->> 'merged')::boolean, false);
  v_rows jsonb;
  v_next jsonb;
begin
  select coalesce(jsonb_agg(to_jsonb(r) - '{row_phase,place,matches}'::text[] order by r.created_at desc, r.id desc, r.row_phase desc)
                  filter (where r.matches), '[]'),
         case when count(*) = p_limit or bool_or(r.place = 20000)
              then (array_agg(jsonb_build_object('created_at', r.created_at, 'id', r.id, 'phase', r.row_phase)
                              order by r.created_at, r.id, r.row_phase))[1] end
  into v_rows, v_next
  from (
    select l.created_at, l.id, o.phase, l.organization_id, l.interaction_type, l.decision, l.actor_kind, l.user_id, l.agent_id,
           l.agent_name, l.key_id, l.mcp_server_instance_id, l.instance_name, l.item, l.grant_id, l.request_id, l.attempt, o.outcome,
           -- The text of an error is in its details only.
           case when l.reason is not null or o.outcome <> 'ok'
                then jsonb_build_object('reason', coalesce(l.reason, o.outcome),
                                        'code', coalesce(o.error_code, weir.reason_code(l.reason)), 'detail', l.detail)
           end as error_details,
           case when l.reason is null and o.outcome is not distinct from 'ok' then l.detail end as detail,
           trim_scale(round(o.duration_us / 1000.0, 3)) as duration_ms, l.request_bytes, o.response_bytes,
           weir.copy_data(l.request_copy) as request_data, weir.copy_data(o.response_copy) as response_data, l.occurrences,
           l.row_phase, l.place, l.matches
    from (
      select w.*, not (v_merged and w.is_second)
          and (p_filter ->> 'interaction_type' is null or w.interaction_type = p_filter ->> 'interaction_type')
          and (p_filter ->> 'tool' is null or w.interaction_type = 'tool_execution' and w.item = p_filter ->> 'tool')
          and (p_filter ->> 'reason' is null or w.reason is not distinct from p_filter ->> 'reason')
          and (p_filter ->> 'phase' is null or case when w.is_joined then 'completed' else w.row_phase end = p_filter ->> 'phase')
          and (p_filter ->> 'outcome' is null
               or case when w.is_joined then w.next_outcome else w.outcome end is not distinct from p_filter ->> 'outcome') as matches
      from (
        select l.created_at, l.id, l.phase::text as row_phase, l.organization_id, l.kind::text as interaction_type, l.decision::text,
               l.actor_kind::text, l.user_id, l.agent_id, l.agent_name::text, l.key_id, l.instance_id as mcp_server_instance_id,
               l.instance_name::text, l.item::text, l.grant_id, l.request_id::text, l.attempt, l.reason::text, l.detail::text,
               l.outcome::text, l.error_code::text, l.duration_us::bigint, l.request_bytes::bigint, l.response_bytes::bigint,
               l.request_copy::text, l.response_copy::text, l.occurrences, row_number() over walk as place,
               coalesce(lag(l.id) over walk = l.id, false) as is_second,
               v_merged and coalesce(lead(l.id) over walk = l.id, false) as is_joined,
               lead(l.outcome::text) over walk as next_outcome, lead(l.error_code::text) over walk as next_error_code,
               lead(l.duration_us::bigint) over walk as next_duration_us, lead(l.response_bytes::bigint) over walk as next_response_bytes,
               lead(l.response_copy::text) over walk as next_response_copy
        from public.mcp_interaction_logs l
        where l.organization_id = p_organization_id and (p_user_id is null or l.user_id = p_user_id)
          and l.created_at >= coalesce((p_filter ->> 'since')::timestamptz, '-infinity')
          and l.created_at < coalesce((p_filter ->> 'until')::timestamptz, 'infinity')
          and (p_filter ->> 'agent_id' is null or l.agent_id = (p_filter ->> 'agent_id')::uuid)
          and (p_filter ->> 'mcp_server_instance_id' is null or l.instance_id = (p_filter ->> 'mcp_server_instance_id')::uuid)
          and (p_filter ->> 'user_id' is null or l.user_id = (p_filter ->> 'user_id')::uuid)
          -- Limits the walk of the index. The page begins inside this moment; the comparison of rows below finds where. Merged, it begins
          -- after all rows of the last interaction.
          and l.created_at <= coalesce((p_before ->> 'created_at')::timestamptz, 'infinity')
          and (p_before is null or (l.created_at, l.id, l.phase::text)
               < ((p_before ->> 'created_at')::timestamptz, (p_before ->> 'id')::uuid,
                  case when v_merged then '' else p_before ->> 'phase' end))
        window walk as (order by l.created_at desc, l.id desc, l.phase::text desc)
        order by l.created_at desc, l.id desc, l.phase::text desc
        limit 20000) w
      ) l
    cross join lateral (
      select case when l.is_joined then 'completed' else l.row_phase end as phase,
             case when l.is_joined then l.next_outcome else l.outcome end as outcome,
             case when l.is_joined then l.next_error_code else l.error_code end as error_code,
             case when l.is_joined then l.next_duration_us else l.duration_us end as duration_us,
             case when l.is_joined then l.next_response_bytes else l.response_bytes end as response_bytes,
             case when l.is_joined then l.next_response_copy else l.response_copy end as response_copy) o
    where l.matches or l.place = 20000
    order by l.created_at desc, l.id desc, l.row_phase desc
    limit p_limit) r;
  return jsonb_build_object('rows', v_rows, 'next', v_next);
end;
$$;

revoke all on function weir.is_time, weir.audit_filter_names, weir.audit_filter_error, weir.audit_cursor_error, weir.reason_code,
  weir.copy_data, weir.audit_page from public;
grant execute on function weir.is_time, weir.audit_filter_names, weir.audit_filter_error, weir.audit_cursor_error, weir.reason_code,
  weir.copy_data, weir.audit_page to weir_system;

set local role weir_system;

-- An admin reads the audit log of the organization, every other active member only their own rows of it, and an outsider gets WR004. Newest
-- first; p_before is the last row of the previous page ({"created_at", "id", "phase"}, as in `next`). Null p_limit: 100, at most 1,000.
-- Null p_filter: all. It records the reading, even a refused one, so it is a writing function and returns its refusals. Definer, because
-- only the engine reads the table: its own condition is the organization and, for a caller who is not an admin, the caller.
create function weir.read_audit(p_organization_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_is_deleted boolean;
  v_error text;
  v_refusal jsonb;
begin
  v_act := weir.act('admin_read', 'read_audit', 'viewer', p_organization_id => p_organization_id);
  -- The owner of a deleted organization may still read its audit log.
  v_is_deleted := exists (select from weir.my_deleted_organizations() o where o = p_organization_id);
  v_refusal := case when not v_is_deleted then weir.authorize(v_act) end;
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_error := coalesce(case when coalesce(p_limit, 100) not between 1 and 1000 then 'limit must be 1 to 1000' end,
                      weir.audit_filter_error(p_filter), weir.audit_cursor_error(p_before));
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  end if;
  perform weir.record_act(v_act, weir.cut(p_filter::text, 500));
  return weir.audit_page(p_organization_id,
                         case when not v_is_deleted and not weir.may(v_act, 'admin') then weir.actor_id() end, p_filter, p_before,
                         coalesce(p_limit, 100));
end;
$$;
grant execute on function weir.read_audit to authenticated;

reset role;

-- The published name; parameter names are API.
create function public.read_audit(
  organization_id uuid, filter jsonb default null, before jsonb default null, "limit" integer default null) returns jsonb
language sql volatile begin atomic select weir.read_audit($1, $2, $3, $4); end;

revoke all on function public.read_audit from public, anon, authenticated, service_role;
grant execute on function public.read_audit to authenticated;
