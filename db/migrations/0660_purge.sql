-- Deletes rows that are stored for a limited time: idempotency keys, chat turns and security events. The audit log is not deleted.

set local role weir_system;

-- Deletes at most p_limit rows of each kind and returns how many; the caller repeats while a full batch was deleted. Chat turns and
-- security events that are locked are left for the next run. After this, a request that repeats an idempotency key is a new request, and so
-- is a retry of a chat turn that was cut off. Definer: it deletes old rows of all organizations. force_custom_plan and seqscan (decision
-- 0061): what is due may be nothing or most of a table.
create function weir.purge(p_idempotency_keys interval, p_chat_turns interval, p_security_events interval, p_limit integer) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = on
as $$
declare
  v_limit constant integer := greatest(p_limit, 0);
  v_now constant timestamptz := clock_timestamp();
  v_count integer;
  v_purged integer := 0;
begin
  -- Less than an hour would delete what retries still need. A null would silently delete nothing.
  if num_nulls(p_idempotency_keys, p_chat_turns, p_security_events) > 0
     or least(p_idempotency_keys, p_chat_turns, p_security_events) < interval '1 hour' then
    raise exception using errcode = 'WR001', message = 'each retention must be 1 hour or more';
  end if;
  delete from weir.idempotency_keys k
  where (k.organization_id, k.key) in (
    select o.organization_id, o.key from weir.idempotency_keys o where o.created_at < v_now - p_idempotency_keys
    order by o.created_at limit v_limit);
  get diagnostics v_count = row_count;
  v_purged := v_purged + v_count;
  delete from weir.chat_turns t
  where (t.message_id, t.agent_id) in (
    select o.message_id, o.agent_id from weir.chat_turns o join public.chat_messages m on m.id = o.message_id
    -- A turn that a replica works on is not old, whenever its message was written.
    where o.leased_until < v_now and m.created_at < v_now - p_chat_turns
    limit v_limit for update of o skip locked);
  get diagnostics v_count = row_count;
  v_purged := v_purged + v_count;
  delete from weir.security_events e
  where (e.minute, e.reason, e.key_prefix, e.address) in (
    select o.minute, o.reason, o.key_prefix, o.address from weir.security_events o where o.minute < v_now - p_security_events
    order by o.minute limit v_limit for update skip locked);
  get diagnostics v_count = row_count;
  return v_purged + v_count;
end;
$$;
grant execute on function weir.purge to weir_engine;

reset role;
