-- What a restored database does first: begin a new epoch, and revoke again what was revoked after the backup.

-- Begins a new epoch and returns it. Rows of the audit log that are written from now on cannot be confused with lost rows that were written
-- after the backup. What processes held before is released: replicas, leases, turns. What may have been used since the backup ends:
-- sign-ins, whose refresh tokens may have been used, recoveries, and the tokens of nodes that have not registered yet.
-- No node's address is known until the node itself has sent a heartbeat to a replica of this database. So a copy that is served beside the
-- original, for a drill, sends the original's nodes nothing.
-- p_keyring_is_lost: the next replica brings another keyring. No node's key can be opened then, so each node must register again.
create function weir.begin_epoch(p_detail text, p_keyring_is_lost boolean) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_epoch integer;
begin
  update weir.installation i
  set epoch = i.epoch + 1, keyring_fingerprint = case when p_keyring_is_lost then null else i.keyring_fingerprint end
  returning i.epoch into v_epoch;
  -- Released: what was held by processes that no longer exist.
  delete from weir.replicas;
  update weir.sign_ins s set revoked_at = clock_timestamp(), revoked_by = 'restore' where s.revoked_at is null;
  delete from weir.recoveries;
  -- Pending operations are due at once, for whichever replica claims them.
  update weir.dtma_operations o set claimed_by = null, lease_until = null, run_at = least(o.run_at, clock_timestamp())
  where o.finished_at is null;
  update public.mcp_server_instances i set refresh_by = null, refresh_lease_until = null, refresh_at = clock_timestamp()
  where i.status in ('running', 'degraded');
  -- Turns end now: one without a call is begun again by a retry, one with calls is cut off.
  update weir.chat_turns t set leased_until = least(t.leased_until, clock_timestamp());
  -- A node that has not registered needs a new token (weir.issue_node_token).
  update weir.dtma_nodes n set is_online = false, api_url = null, token_hash = null, token_expires_at = null;
  if p_keyring_is_lost then
    update weir.dtma_nodes n set registered_at = null, key_hash = null, sealed_api_key = null;
  end if;
  -- Each organization's audit log says that it was restored.
  perform weir.record_event('lifecycle', o.id, p_item => 'restore', p_detail => format('epoch %s: %s', v_epoch, p_detail))
  from public.organizations o;
  return v_epoch;
end;
$$;

-- Revokes one authority again that a newer database gives no longer, or gives less of. p_state: what the newer one gives; null: nothing.
-- p_kind and p_key are those of weir.authorities. It is recorded in the organization's audit log, or in those of the organizations that a
-- person belongs to; for the platform's authorities there is no such log. Returns null, or why it could not be done; then no part of it was
-- done.
create function weir.revoke_again(p_kind text, p_key text, p_state text, p_organization_id uuid, p_label text) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- An ordinary update of each, so that the triggers fire: locks are taken, replicas are notified, and the guards hold.
  case p_kind
    when 'organization' then update public.organizations o set platform_stopped_at = clock_timestamp() where o.id::text = p_key;
    when 'member' then
      update public.organization_members m
      set role = coalesce(p_state, m.role), status = case when p_state is null then 'removed' else m.status end
      where m.organization_id || '/' || m.user_id = p_key;
    when 'workspace member' then delete from public.workspace_members w where w.id::text = p_key;
    -- It is not known here which of the two had stopped it, so both are set.
    when 'agent' then
      update public.agents a set stopped_at = clock_timestamp(), platform_stopped_at = clock_timestamp() where a.id::text = p_key;
    when 'server switch' then
      update public.mcp_server_instances i set platform_stopped_at = clock_timestamp() where i.id::text = p_key;
    when 'calls' then insert into weir.platform_stop default values on conflict do nothing;
    when 'agent key' then update public.agent_api_keys k set revoked_at = clock_timestamp() where k.id::text = p_key;
    when 'organization key' then update public.organization_api_keys k set revoked_at = clock_timestamp() where k.id::text = p_key;
    when 'grant' then update public.agent_mcp_permissions g set revoked_at = clock_timestamp() where g.id::text = p_key;
    when 'invitation' then update public.organization_invitations i set revoked_at = clock_timestamp() where i.id::text = p_key;
    when 'node' then
      update weir.dtma_nodes n set registered_at = null, key_hash = null, sealed_api_key = null, is_online = false where n.id::text = p_key;
    when 'platform admin' then delete from weir.platform_admins p where p.user_id::text = p_key;
    when 'person' then
      -- A password that was changed since replaces the old one. A user who was deleted or banned since is banned.
      update auth.users u
      set encrypted_password = nullif(p_state, ''), banned_until = case when p_state is null then 'infinity' else u.banned_until end
      where u.id::text = p_key;
    when 'definition' then
      update public.mcp_server_tools t set status = 'quarantined'
      where t.instance_id::text = split_part(p_key, '/', 1) and t.kind = split_part(p_key, '/', 2)
        and encode(sha256(convert_to(t.name, 'UTF8')), 'hex') = split_part(p_key, '/', 3)
        and encode(t.definition_hash, 'hex') = split_part(p_key, '/', 4);
    when 'catalog server' then
      update public.mcp_server_catalog c
      set withdrawn_at = case when p_state = 'withdrawn' then now() else c.withdrawn_at end,
          blocked_at = case when p_state is null then now() end,
          block_reason = case when p_state is null then 'It was blocked after the backup from which this database was restored.' end
      where c.id::text = p_key;
    -- Stopped as by an admin: a new generation, and an operation for the node.
    when 'running server' then
      with stopped as (
        update public.mcp_server_instances i
        set status = 'stopping', generation = i.generation + 1, resets = i.resets + 1, last_error_code = null, last_error = null
        where i.id::text = p_key returning i.organization_id, i.id, i.generation)
      insert into weir.dtma_operations (organization_id, instance_id, action, generation)
      select s.organization_id, s.id, 'stop', s.generation from stopped s;
    when 'datastore' then update public.datastores d set deleted_at = clock_timestamp() where d.id::text = p_key;
    when 'datastore link' then
      delete from public.agent_datastores l where l.agent_id || '/' || l.datastore_id = p_key;
    when 'document' then delete from public.documents d where d.id::text = p_key;
  end case;
  perform weir.record_event('lifecycle', o.id, p_item => 'revoke_again', p_detail => p_kind || ' ' || p_label)
  from public.organizations o
  where o.id = p_organization_id
     or p_kind = 'person' and exists (select from public.organization_members m where m.organization_id = o.id and m.user_id::text = p_key);
  return null;
exception
  -- The last owner of an organization, whose successor is not in the backup.
  when sqlstate 'WR005' then
    return sqlerrm;
end;
$$;

-- Only their owner executes them: `weir restore` connects as the migrator.
revoke all on function weir.begin_epoch, weir.revoke_again from public;
