// @supabase/supabase-js, unmodified: node people.mjs URL ANON_KEY PASSWORD JSON. A colleague is invited and joins, forgets the password, and comes
// back. JSON is {"operator", "owner", "elsewhere": addresses, "organization", "other": ids}; all of them have PASSWORD. Prints what came back.
import { createClient } from '@supabase/supabase-js';
import { randomInt } from 'node:crypto';

const [url, anonKey, password, given] = process.argv.slice(2);
const world = JSON.parse(given);
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const newToken = () => Array.from({ length: 43 }, () => letters[randomInt(62)]).join('');
const client = () => createClient(url, anonKey, { auth: { persistSession: false, autoRefreshToken: false } });
const signedIn = async (email, secret = password) => {
  const weir = client();
  const { error } = await weir.auth.signInWithPassword({ email, password: secret });
  if (error) throw error;
  return weir;
};
const of = ({ data, error, status }) => ({ data, status, error: error && { code: error.code, message: error.message, hint: error.hint } });
// supabase-js has a name of its own, and no code, for a session that has ended.
const ofAuth = ({ data, error }) => ({ user: data?.user?.email, error: error && { code: error.code ?? error.name, status: error.status, message: error.message } });
// What the page behind the link says: the token is what follows the name.
const tokenOf = (link) => new URL(link).hash.split('=')[1];

const seen = {};
const email = 'Colleague@example.test';
const owner = await signedIn(world.owner);
const invited = await owner.rpc('invite_member', { organization_id: world.organization, email, role: 'member', token: newToken() });
seen.link = invited.data.link;
const token = tokenOf(invited.data.link);

const colleague = client();
seen.wrongType = ofAuth(await colleague.auth.verifyOtp({ type: 'recovery', token_hash: token }));
seen.joined = ofAuth(await colleague.auth.verifyOtp({ type: 'invite', token_hash: token }));
seen.again = ofAuth(await client().auth.verifyOtp({ type: 'invite', token_hash: token }));
seen.organizations = of(await colleague.from('organizations').select('id'));
seen.confirmed = (await colleague.auth.getUser()).data.user.email_confirmed_at ?? null;
seen.weak = ofAuth(await colleague.auth.updateUser({ password: 'short' }));
seen.otherAttribute = ofAuth(await colleague.auth.updateUser({ email: 'another@example.test' }));
seen.password = ofAuth(await colleague.auth.updateUser({ password: 'the first password' }));
await colleague.rpc('set_user_profile', { display_name: 'The colleague' });
seen.signIn = ofAuth(await client().auth.signInWithPassword({ email, password: 'the first password' }));
seen.members = of(await owner.rpc('list_members', { organization_id: world.organization }).select('display_name,email,email_confirmed,role').eq('role', 'member'));
seen.membersOfColleague = of(await colleague.rpc('list_members', { organization_id: world.organization }).select('email').not('email', 'is', null));

// A second organization: the address has an account, so its invitation opens no sign-in, and the address must be confirmed.
const elsewhere = await signedIn(world.elsewhere);
const second = newToken();
await elsewhere.rpc('invite_member', { organization_id: world.other, email, role: 'viewer', token: second });
seen.secondLink = ofAuth(await client().auth.verifyOtp({ type: 'invite', token_hash: second }));
seen.unconfirmed = of(await colleague.rpc('accept_invitation', { token: second }));
const operator = await signedIn(world.operator);
seen.listed = of(await operator.rpc('list_users', { email }));
const id = seen.listed.data.rows[0].id;
seen.notOperator = of(await owner.rpc('confirm_user_email', { user_id: id }));
seen.confirm = of(await operator.rpc('confirm_user_email', { user_id: id }));
seen.accepted = of(await colleague.rpc('accept_invitation', { token: second }));

// The password is forgotten.
const recovery = await operator.rpc('create_recovery', { user_id: id, token: newToken() });
seen.recoveryLink = recovery.data.link;
const recovered = client();
seen.recovered = ofAuth(await recovered.auth.verifyOtp({ type: 'recovery', token_hash: tokenOf(recovery.data.link) }));
seen.recoveredAgain = ofAuth(await client().auth.verifyOtp({ type: 'recovery', token_hash: tokenOf(recovery.data.link) }));
seen.newPassword = ofAuth(await recovered.auth.updateUser({ password: 'the second password' }));
seen.oldSession = ofAuth(await colleague.auth.refreshSession());
seen.oldPassword = ofAuth(await client().auth.signInWithPassword({ email, password: 'the first password' }));
seen.newSignIn = ofAuth(await client().auth.signInWithPassword({ email, password: 'the second password' }));

// Somebody whom the operator makes.
const made = await operator.rpc('create_user', { email: 'made@example.test', token: newToken() });
const maker = client();
seen.made = ofAuth(await maker.auth.verifyOtp({ type: 'recovery', token_hash: made.data.recovery_token }));
seen.madePassword = ofAuth(await maker.auth.updateUser({ password: 'a password of mine' }));
console.log(JSON.stringify(seen));
process.exit(0);
