// @supabase/supabase-js, unmodified: node owner.mjs URL ANON_KEY EMAIL PASSWORD JSON. An owner switches an agent off while it calls a tool, and
// on again; then deletes the organization, reads what is left to its owner, and restores it. JSON is {"organization", "agent", "channel", "server"}: ids.
// Prints what came back.
import { createClient } from '@supabase/supabase-js';
import { setTimeout } from 'node:timers/promises';

const [url, anonKey, email, password, given] = process.argv.slice(2);
const { organization, agent, channel, server } = JSON.parse(given);
const weir = createClient(url, anonKey, { auth: { persistSession: false, autoRefreshToken: false } });
const { error: signInError } = await weir.auth.signInWithPassword({ email, password });
if (signInError) throw signInError;

const of = ({ data, error, status }) => ({ data, status, error: error && { code: error.code, message: error.message } });
const chat = async () => {
  const { data, error } = await weir.functions.invoke('chat', { body: { agentId: agent, message: 'the weather?', channelId: channel } });
  return error ? { status: error.context?.status, body: await error.context?.json?.() } : { status: 200, body: data };
};
const audit = (filter) => weir.rpc('read_audit', { organization_id: organization, filter: { agent_id: agent, tool: 'get_weather', ...filter } });
const until = async (what, is) => {
  for (let i = 0; i < 200; i++) {
    if (await is()) return;
    await setTimeout(100);
  }
  throw new Error(`not within 20 s: ${what}`);
};
const seen = {};

const turn = chat();
await until('the call is recorded', async () => (await audit({ phase: 'requested' })).data.rows.length === 1);
seen.off = of(await weir.rpc('set_agent_active', { agent_id: agent, active: false }));
seen.turn = await turn;
seen.whileOff = await chat();
await until('the end of the call is recorded', async () => (await audit({ outcome: 'cancelled' })).data.rows.length === 1);
seen.agentOff = of(await weir.from('agents').select('is_active').eq('id', agent));
seen.on = of(await weir.rpc('set_agent_active', { agent_id: agent, active: true }));
seen.onAgain = await chat();

seen.deleted = of(await weir.rpc('delete_organization', { organization_id: organization }));
seen.organizations = of(await weir.from('organizations').select('id').eq('id', organization));
seen.chatOfDeleted = await chat();
seen.agentOfDeleted = of(await weir.rpc('create_agent', { organization_id: organization, name: 'another' }));
seen.audit = of(await weir.rpc('read_audit', { organization_id: organization, filter: { interaction_type: 'lifecycle' }, limit: 1 }));
seen.exported = of(await weir.rpc('export_organization', { organization_id: organization, part: 'servers' }));
seen.restored = of(await weir.rpc('restore_organization', { organization_id: organization }));
await until('its server runs again', async () => (await weir.from('mcp_server_instances').select('status').eq('id', server)).data[0].status === 'running');
seen.chatOfRestored = await chat();
seen.exportedParts = {};
for (const part of ['organization', 'members', 'agents', 'grants', 'workspaces', 'datastores', 'documents']) {
  seen.exportedParts[part] = of(await weir.rpc('export_organization', { organization_id: organization, part }));
}
console.log(JSON.stringify(seen));
process.exit(0);
