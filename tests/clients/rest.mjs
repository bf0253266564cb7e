// @supabase/supabase-js, unmodified: node rest.mjs URL ANON_KEY EMAIL PASSWORD IDS. Signs in, calls, reads, refreshes, signs out.
// IDS is JSON: {"organization", "workspace", "channel", "agent"}. Prints one JSON object of what came back.
import { createClient } from '@supabase/supabase-js';

const [url, anonKey, email, password, ids] = process.argv.slice(2);
const id = JSON.parse(ids);
const weir = createClient(url, anonKey, { auth: { persistSession: false, autoRefreshToken: false } });
const seen = {};
// What a caller looks at.
const of = ({ data, error, count, status }) => ({ data, count, status, error: error && { code: error.code, message: error.message, hint: error.hint } });
const ofAuth = (error) => error && { code: error.code, status: error.status, message: error.message };

seen.anonymous = of(await weir.from('agents').select());
seen.wrongPassword = ofAuth((await weir.auth.signInWithPassword({ email, password: 'wrong' })).error);
seen.signUp = ofAuth((await weir.auth.signUp({ email: 'new@example.test', password: 'long enough' })).error);
const { data: signedIn, error } = await weir.auth.signInWithPassword({ email, password });
seen.signIn = { user: signedIn.user?.email, error: ofAuth(error) };
seen.user = (await weir.auth.getUser()).data.user?.email;

seen.made = of(await weir.rpc('create_channel', { workspace_id: id.workspace, name: 'by supabase-js' }));
seen.refused = of(await weir.rpc('create_channel', { workspace_id: id.agent, name: 'x' }));
seen.unknownFunction = of(await weir.rpc('create_chanel', { workspace_id: id.workspace }));
seen.badValue = of(await weir.rpc('create_channel', { workspace_id: 'abc', name: 'x' }));
seen.rows = of(await weir.rpc('get_chat_messages_with_details', { p_channel_id: id.channel }).select('content').order('content').limit(2));
seen.byGet = of(await weir.rpc('get_chat_messages_with_details', { p_channel_id: id.channel, limit: 1 }, { get: true }));
seen.writeByGet = of(await weir.rpc('create_organization', { name: 'x' }, { get: true }));

const channels = () => weir.from('chat_channels');
seen.filtered = of(await channels().select('name').in('name', ['c01', 'c02', 'none, such (at all)']).order('name', { ascending: false }));
seen.negated = of(await channels().select('name').not('name', 'like', 'c%').neq('name', 'by supabase-js'));
seen.or = of(await channels().select('name').or('name.eq.c03,and(name.gte.c11,name.lt.d)').order('name'));
seen.matched = of(await channels().select('label:name').match({ name: 'c05' }).is('id', null));
seen.any = of(await channels().select('name').likeAnyOf('name', ['c0%', 'gen%']).ilike('name', '%1').order('name'));
seen.range = of(await channels().select('name', { count: 'exact' }).like('name', 'c%').order('name').range(2, 4));
seen.head = of(await channels().select('*', { count: 'exact', head: true }).like('name', 'c%'));
seen.single = of(await channels().select('name').eq('name', 'c07').single());
seen.notSingle = of(await channels().select('name').like('name', 'c%').single());
seen.maybeSingle = of(await channels().select('name').eq('name', 'none').maybeSingle());
seen.json = of(await weir.from('chat_messages').select('content,usage->x').eq('sender', 'user').is('usage', null).limit(1));
seen.badUuid = of(await channels().select().eq('id', 'abc'));
seen.unknownTable = of(await weir.from('nothing').select());
seen.unknownColumn = of(await channels().select('nothing'));
seen.otherSchema = of(await weir.schema('weir').from('settings').select());
seen.embedded = of(await channels().select('name, workspaces(name)'));
seen.csv = of(await channels().select().csv());
seen.insert = of(await channels().insert({ name: 'x' }));
seen.update = of(await channels().update({ name: 'x' }).eq('name', 'c01'));
seen.upsert = of(await channels().upsert({ name: 'x' }));
seen.delete = of(await channels().delete().eq('name', 'c01'));
const { error: storageError } = await weir.storage.from('bucket').list();
seen.storage = storageError && { message: storageError.message, status: storageError.status };

const before = (await weir.auth.getSession()).data.session;
const { data: refreshed, error: refreshError } = await weir.auth.refreshSession();
seen.refresh = { error: ofAuth(refreshError), changed: refreshed.session?.refresh_token !== before.refresh_token };
seen.afterRefresh = of(await channels().select('name').eq('name', 'c01'));
seen.signOut = ofAuth((await weir.auth.signOut()).error);
seen.afterSignOut = of(await channels().select('name'));
seen.reuse = ofAuth((await weir.auth.refreshSession({ refresh_token: refreshed.session?.refresh_token ?? '' })).error);

const withToken = createClient(url, anonKey, { accessToken: async () => signedIn.session.access_token });
seen.accessToken = of(await withToken.from('chat_channels').select('name').eq('name', 'c01').single());
console.log(JSON.stringify(seen));
process.exit(0);
