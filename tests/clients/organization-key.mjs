// @supabase/supabase-js, unmodified: node organization-key.mjs URL ORGANIZATION_KEY. Reads the record and the servers with a key of
// an organization, and is refused what its scopes do not say. Prints one JSON object of what came back.
import { createClient } from '@supabase/supabase-js';

const [url, key] = process.argv.slice(2);
const weir = createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });
const of = ({ data, error, status }) => ({ data, status, error: error && { code: error.code, message: error.message, hint: error.hint } });

console.log(JSON.stringify({
  audit: of(await weir.rpc('read_audit', { limit: 3 })),
  servers: of(await weir.rpc('read_servers')),
  usage: of(await weir.rpc('read_usage')),
  table: of(await weir.from('agents').select()),
}));
