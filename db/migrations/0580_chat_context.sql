-- Resources and prompts that a server adds to a chat turn besides its tools, and how long a turn waits for them. A turn reads
-- these settings as they are at that moment. Whether the agent may have a resource or prompt is decided when it is fetched.

alter table public.mcp_server_instances
  -- What the server adds to a chat turn. Each fetch is a governed call of the turn, so their number is bounded.
  add column context_resources text[] not null default '{}',
  add column context_prompts text[] not null default '{}',
  -- Of each call, in milliseconds. Null: as long as any call may take; in a chat turn's context what is left of the server's
  -- share. 0 only keeps the server out of chat.
  add column timeout_ms integer,
  add column max_retries integer not null default 1,
  add column retry_backoff_ms integer not null default 100,
  add constraint mcp_server_instances_context_is_ten_of_each
    check (cardinality(context_resources) <= 10 and cardinality(context_prompts) <= 10),
  add constraint mcp_server_instances_timeout_is_at_most_an_hour check (timeout_ms between 0 and 3600000),
  add constraint mcp_server_instances_retries_are_0_to_5 check (max_retries between 0 and 5),
  add constraint mcp_server_instances_backoff_is_at_most_ten_seconds check (retry_backoff_ms between 0 and 10000);
grant insert (context_resources, context_prompts, timeout_ms, max_retries, retry_backoff_ms),
      update (context_resources, context_prompts, timeout_ms, max_retries, retry_backoff_ms)
  on public.mcp_server_instances to weir_writer;
-- Replicas keep the timeout with an agent's catalog, so a change counts as a change of permissions. It is a trigger of its own,
-- because the others fire for other columns.
create trigger b_instance_timeout_update before update on public.mcp_server_instances
  for each row when (old.timeout_ms is distinct from new.timeout_ms) execute function weir.on_permission_change();

-- The error in server_config.context, with its path; null: none, or there is no such member. A closed grammar: unknown members
-- are refused, so that a misspelled one does not go unnoticed.
create function weir.context_config_error(p_context jsonb) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_member text;
  v_list jsonb;
  v_path text;
  v_item text;
begin
  if p_context is null then
    return null;
  elsif jsonb_typeof(p_context) <> 'object' then
    return 'server_config.context: must be an object';
  end if;
  -- Each member, then each of its elements; the first problem is the answer.
  for v_member, v_list in select e.key, e.value from jsonb_each(p_context) e loop
    v_path := 'server_config.context.' || left(v_member, 64);
    if v_member not in ('resources', 'prompts') then
      return v_path || ': is not known';
    elsif jsonb_typeof(v_list) <> 'array' then
      return v_path || ': must be an array';
    elsif jsonb_array_length(v_list) > 10 then
      return v_path || ': may have 10';
    end if;
    for v_n in 0 .. jsonb_array_length(v_list) - 1 loop
      v_path := format('server_config.context.%s[%s]', v_member, v_n);
      v_item := v_list ->> v_n;
      if jsonb_typeof(v_list -> v_n) <> 'string' or length(v_item) not between 1 and 1000 or v_item ~ '[\x01-\x1f\x7f]' then
        return v_path || ': must be 1 to 1000 characters';
      elsif v_member = 'resources' and (not weir.is_uri(v_item) or v_item ~ '\s') then
        return v_path || ': must be a URI';
      -- Addresses with these schemes are those that Weir shows, not the server's own (decision 0016).
      elsif v_member = 'resources' and lower(split_part(v_item, ':', 1)) in ('ui', 'weir') then
        return v_path || ': must be a URI of the server''s own';
      -- The person's message may fill a place of a URI. Nothing else may.
      elsif v_member = 'resources' and replace(v_item, '{message}', '') ~ '[{}]' then
        return v_path || ': only {message} can be filled in';
      end if;
    end loop;
  end loop;
  return null;
end;
$$;
revoke all on function weir.context_config_error(jsonb) from public;
grant execute on function weir.context_config_error(jsonb) to weir_writer;
