-- How an organization reads its audit log.

-- Whether a value is a time as JSON writes it. The pattern admits nothing that a cast reads in its own way (`now`, `infinity`); what the
-- cast still refuses is not a time.
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

-- What is wrong with a filter, or null. An unknown member is an error: a filter that was ignored would show more than was asked for.
create function weir.audit_filter_error(p_filter jsonb) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_value jsonb;
begin
  if p_filter is null then
    return null;
  elsif weir.bounds_error(p_filter, 16384) is not null then
    return 'filter ' || weir.bounds_error(p_filter, 16384);
  elsif jsonb_typeof(p_filter) <> 'object' then
    return 'filter must be an object';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_filter) e limit 100 loop
    if not (case
      when v_key in ('since', 'until') then weir.is_time(v_value)
      when v_key in ('agent_id', 'instance_id', 'user_id') then
        jsonb_typeof(v_value) = 'string' and v_value #>> '{}' ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
      when v_key in ('kind', 'phase') then jsonb_typeof(v_value) = 'string' and length(v_value #>> '{}') <= 64
      else false
    end) then
      return 'filter.' || left(v_key, 64) || ' is not known or not valid';
    end if;
  end loop;
  return null;
end;
$$;

-- What is wrong with p_before, or null. It is only a place in the order of rows: what is read from there on is decided again.
create function weir.audit_cursor_error(p_before jsonb) returns text
language sql stable
begin atomic
  select case when weir.bounds_error(p_before, 4096) is not null then 'before ' || weir.bounds_error(p_before, 4096)
              when p_before is not null
                and (jsonb_typeof(p_before) <> 'object' or not p_before ?& array['created_at', 'id', 'phase']
                     or p_before - array['created_at', 'id', 'phase'] <> '{}' or not weir.is_time(p_before -> 'created_at')
                     or coalesce(p_before ->> 'id', '') !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
                     or coalesce(p_before ->> 'phase', '') not in ('requested', 'denied', 'completed'))
              then 'before must be the next of the page before' end;
end;

-- One page of an organization's audit log, of that person's rows only if p_user_id is not null. Not a definer, and no check of who asks:
-- its callers (weir.read_audit, weir.read_with_key) have checked the caller, the filter and the cursor, so no cast raises.
create function weir.audit_page(p_organization_id uuid, p_user_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows jsonb;
begin
  select coalesce(jsonb_agg(to_jsonb(r) order by r.created_at desc, r.id desc, r.phase desc), '[]') into v_rows
  from (
    select l.created_at, l.id, l.phase::text, l.kind::text, l.decision::text, l.actor_kind::text, l.user_id, l.agent_id, l.agent_name::text,
           l.key_id, l.instance_id, l.instance_name::text, l.item::text, l.grant_id, l.request_id::text, l.attempt, l.reason::text,
           l.detail::text, l.outcome::text, l.error_code::text, l.duration_us::bigint, l.request_bytes::bigint, l.response_bytes::bigint,
           l.request_copy::text, l.response_copy::text, l.occurrences
    from public.mcp_interaction_logs l
    where l.organization_id = p_organization_id and (p_user_id is null or l.user_id = p_user_id)
      and l.created_at >= coalesce((p_filter ->> 'since')::timestamptz, '-infinity')
      and l.created_at < coalesce((p_filter ->> 'until')::timestamptz, 'infinity')
      and (p_filter ->> 'agent_id' is null or l.agent_id = (p_filter ->> 'agent_id')::uuid)
      and (p_filter ->> 'instance_id' is null or l.instance_id = (p_filter ->> 'instance_id')::uuid)
      and (p_filter ->> 'user_id' is null or l.user_id = (p_filter ->> 'user_id')::uuid)
      and (p_filter ->> 'kind' is null or l.kind::text = p_filter ->> 'kind')
      and (p_filter ->> 'phase' is null or l.phase::text = p_filter ->> 'phase')
      -- Bounds the walk of the index. The page begins inside this moment; the comparison of rows below says where.
      and l.created_at <= coalesce((p_before ->> 'created_at')::timestamptz, 'infinity')
      and (p_before is null or (l.created_at, l.id, l.phase::text)
           < ((p_before ->> 'created_at')::timestamptz, (p_before ->> 'id')::uuid, p_before ->> 'phase'))
    order by l.created_at desc, l.id desc, l.phase::text desc
    limit p_limit) r;
  return jsonb_build_object('rows', v_rows, 'next', case when jsonb_array_length(v_rows) = p_limit
    then jsonb_build_object('created_at', v_rows -> -1 -> 'created_at', 'id', v_rows -> -1 -> 'id', 'phase', v_rows -> -1 -> 'phase') end);
end;
$$;

revoke all on function weir.is_time, weir.audit_filter_error, weir.audit_cursor_error, weir.audit_page from public;
grant execute on function weir.is_time, weir.audit_filter_error, weir.audit_cursor_error, weir.audit_page to weir_system;

set local role weir_system;

-- An admin reads the audit log of the organization, every other active member only their own rows of it, and an outsider gets WR004. Newest
-- first; p_before is the last row of the page before ({"created_at", "id", "phase"}, as in `next`). Null p_limit: 100, at most 1,000. Null
-- p_filter: all. It records the reading, even a refused one, so it is a writing function and returns its refusals. Definer, because nobody
-- but the engine reads the table: its own predicate is the organization and, for a caller who is not an admin, the caller.
create function weir.read_audit(p_organization_id uuid, p_filter jsonb, p_before jsonb, p_limit integer) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
as $$
declare
  v_act weir.act;
  v_error text;
  v_refusal jsonb;
begin
  v_act := weir.act('admin_read', 'read_audit', 'viewer', p_organization_id => p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_error := coalesce(case when coalesce(p_limit, 100) not between 1 and 1000 then 'limit must be 1 to 1000' end,
                      weir.audit_filter_error(p_filter), weir.audit_cursor_error(p_before));
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  end if;
  perform weir.record_act(v_act, weir.cut(p_filter::text, 500));
  return weir.audit_page(p_organization_id, case when not weir.may(v_act, 'admin') then weir.actor_id() end, p_filter, p_before,
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
