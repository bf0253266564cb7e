// @supabase/supabase-js, unmodified: node chat.mjs URL ANON_KEY EMAIL PASSWORD BODY. Signs in, then invokes the chat function.
import { createClient } from '@supabase/supabase-js';

const [url, anonKey, email, password, body] = process.argv.slice(2);
const supabase = createClient(url, anonKey, { auth: { persistSession: false } });
const { data: session, error: signInError } = await supabase.auth.signInWithPassword({ email, password });
if (signInError) {
  console.log(JSON.stringify({ signInError: { message: signInError.message, status: signInError.status } }));
  process.exit(0);
}
const { data, error } = await supabase.functions.invoke('chat', { body: JSON.parse(body) });
const failure = error ? { status: error.context?.status, body: await error.context?.json?.() } : undefined;
console.log(JSON.stringify({ user: session.user.id, data, failure }));
process.exit(0);
