// @supabase/supabase-js, unmodified: node chat.mjs URL ANON_KEY EMAIL PASSWORD BODY [stream]. Signs in, then invokes the chat function; with
// "stream" it asks for events, and prints them.
import { createClient } from '@supabase/supabase-js';

const [url, anonKey, email, password, body, stream] = process.argv.slice(2);
const supabase = createClient(url, anonKey, { auth: { persistSession: false } });
const { data: session, error: signInError } = await supabase.auth.signInWithPassword({ email, password });
if (signInError) {
  console.log(JSON.stringify({ signInError: { message: signInError.message, status: signInError.status } }));
  process.exit(0);
}
const { data, error } = await supabase.functions.invoke('chat', {
  body: JSON.parse(body),
  headers: stream ? { Accept: 'text/event-stream' } : {},
});
const failure = error ? { status: error.context?.status, body: await error.context?.json?.() } : undefined;
const events = [];
if (stream && data) {
  // For an event stream supabase-js hands over the response itself.
  const text = await data.text();
  for (const event of text.split('\n\n').filter(Boolean)) {
    const [type, json] = event.split('\n');
    events.push({ type: type.replace('event: ', ''), data: JSON.parse(json.replace('data: ', '')) });
  }
}
console.log(JSON.stringify(stream ? { user: session.user.id, events, failure } : { user: session.user.id, data, failure }));
process.exit(0);
