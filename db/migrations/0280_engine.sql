-- Login of the embedded issuer, replicas, and the agent's answer in a channel. For the engine.

-- Nothing where the users are Supabase's: there its own issuer knows them.
create function weir.find_login(p_email text) returns table (user_id uuid, password_hash text, disabled boolean)
language plpgsql stable security definer rows 1
set search_path = ''
as $$
begin
  if exists (select from weir.installation i where i.embedded_issuer) then
    return query
      select u.id, u.encrypted_password::text, coalesce(u.banned_until > now(), false)
      from auth.users u where u.email = lower(p_email);
  end if;
end;
$$;
revoke all on function weir.find_login(text) from public;
grant execute on function weir.find_login(text) to weir_engine;

-- A replica says where it listens. The first one's keyring is the database's; another keyring could not open what is
-- stored, so its replica must not serve.
create function weir.replica_heartbeat(p_replica_id uuid, p_internal_url text, p_keyring_fingerprint bytea, p_version text) returns void
language plpgsql volatile security definer
set search_path = ''
as $$
declare
  v_fingerprint bytea;
begin
  select i.keyring_fingerprint into v_fingerprint from weir.installation i;
  if v_fingerprint is null then
    update weir.installation i set keyring_fingerprint = p_keyring_fingerprint where i.keyring_fingerprint is null;
    select i.keyring_fingerprint into v_fingerprint from weir.installation i;
  end if;
  if v_fingerprint is distinct from p_keyring_fingerprint then
    raise exception using errcode = 'WR005', message = 'the keyring is not the one that this database was written with';
  end if;
  insert into weir.replicas as r (id, internal_url, version) values (p_replica_id, p_internal_url, p_version)
  on conflict (id) do update set internal_url = excluded.internal_url, version = excluded.version, heartbeat_at = now();
  delete from weir.replicas r where r.heartbeat_at < now() - interval '1 hour';
end;
$$;
revoke all on function weir.replica_heartbeat(uuid, text, bytea, text) from public;
grant execute on function weir.replica_heartbeat(uuid, text, bytea, text) to weir_engine;

-- The agent's answer to a person's message. The message must be that person's, in that channel, of the agent's
-- organization, and the agent one that the person may use. Asked again, the id of the answer that is there.
create function weir.record_chat_answer(
  p_user_id uuid, p_agent_id uuid, p_channel_id uuid, p_reply_to uuid, p_content text, p_tool_calls jsonb, p_usage jsonb,
  p_degraded jsonb) returns uuid
language plpgsql volatile security definer
set search_path = ''
as $$
declare
  v_id uuid := weir.uuid_v7();
begin
  insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, agent_id, content, reply_to,
                                    tool_calls, usage, degraded)
  select v_id, m.organization_id, m.workspace_id, m.channel_id, 'agent', a.id, p_content, m.id, p_tool_calls, p_usage, p_degraded
  from public.chat_messages m
  join public.agents a on a.id = p_agent_id and a.organization_id = m.organization_id
  where m.id = p_reply_to and m.channel_id = p_channel_id and m.sender = 'user' and m.user_id = p_user_id
    and weir.may_use_agent(p_user_id, a.id, a.owner_id)
  on conflict (reply_to, agent_id) where sender = 'agent' and reply_to is not null do nothing;
  if not found then
    select m.id into v_id
    from public.chat_messages m
    join public.chat_messages question on question.id = m.reply_to and question.user_id = p_user_id
    where m.reply_to = p_reply_to and m.agent_id = p_agent_id and m.channel_id = p_channel_id and m.sender = 'agent';
    if v_id is null then
      raise exception using errcode = 'WR004', message = 'there is no such message';
    end if;
  end if;
  return v_id;
end;
$$;
revoke all on function weir.record_chat_answer(uuid, uuid, uuid, uuid, text, jsonb, jsonb, jsonb) from public;
grant execute on function weir.record_chat_answer(uuid, uuid, uuid, uuid, text, jsonb, jsonb, jsonb) to weir_engine;

grant create on schema weir to weir_system;
alter function weir.find_login(text) owner to weir_system;
alter function weir.replica_heartbeat(uuid, text, bytea, text) owner to weir_system;
alter function weir.record_chat_answer(uuid, uuid, uuid, uuid, text, jsonb, jsonb, jsonb) owner to weir_system;
revoke create on schema weir from weir_system;
