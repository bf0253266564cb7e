using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Weir.Configuration;
using Weir.Errors;
using Weir.Identity;
using Weir.Keys;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Identity;

/// <summary>People of issuers that are neither Weir nor a Supabase project, on a database whose users are Weir's.</summary>
public sealed class OtherIssuerTests(TestDatabase database) : IClassFixture<TestDatabase>, IDisposable
{
    private const string First = "https://first.example";
    private const string Second = "https://second.example/auth/v1";

    private readonly RSA _key = RSA.Create(2048);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _key.Dispose();

    [Fact]
    public async Task A_subject_that_equals_a_users_id_is_another_person_and_each_issuer_has_its_own()
    {
        var victim = await database.Owner.ScalarAsync<Guid>(
            "select weir.create_user($1, $2)", [Sql.Text("victim@example.test"), Sql.Text("unused")], Cancelled);
        await database.Owner.ExecuteAsync(
            "select weir.set_setting('identity_issuers', to_jsonb(array[$1, $2]))", [Sql.Text(First), Sql.Text(Second)], Cancelled);

        var one = await UserAsync(First, victim.ToString());
        var again = await UserAsync(First, victim.ToString());
        var other = await UserAsync(Second, victim.ToString());

        one.ShouldNotBe(victim);
        again.ShouldBe(one);
        other.ShouldNotBe(victim);
        other.ShouldNotBe(one);
        (await database.Users.QueryAsync(one, "select id from organizations", [], r => r.GetGuid(0), Cancelled)).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_issuer_that_the_operator_did_not_name_to_the_database_lets_nobody_in()
    {
        var refused = await Should.ThrowAsync<WeirException>(() => UserAsync("https://third.example", "somebody"));
        refused.Code.ShouldBe(ErrorCode.Unauthenticated);
        (await UserAsync("https://fourth.example", "somebody", allow: true)).ShouldNotBe(Guid.Empty);
    }

    [Fact]
    public async Task A_ban_is_seen_within_a_minute()
    {
        var time = new FakeTimeProvider();
        var identities = new Identities(database.Pools, time);
        await database.Owner.ExecuteAsync("select weir.set_setting('identity_issuers', to_jsonb(array[$1]))", [Sql.Text(First)], Cancelled);
        var user = await identities.UserAsync(First, "banned", null, false, Cancelled);
        await database.Superuser.ExecuteAsync(
            "update auth.users set banned_until = now() + interval '1 day' where id = $1", [Sql.Uuid(user)], Cancelled);

        (await identities.UserAsync(First, "banned", null, false, Cancelled)).ShouldBe(user, "kept for a moment");
        time.Advance(TimeSpan.FromMinutes(1));
        (await Should.ThrowAsync<WeirException>(
            async () => await identities.UserAsync(First, "banned", null, false, Cancelled))).Code.ShouldBe(ErrorCode.Unauthenticated);
    }

    private async Task<Guid> UserAsync(string issuer, string subject, bool allow = false)
    {
        var auth = new AuthConfig { JwksUrl = new Uri("https://issuer.example/jwks"), Issuer = issuer };
        if (allow)
        {
            await new PlatformQueries(database.OwnerUrl).NotifyAsync(new WeirConfig { Auth = auth }, Cancelled);
        }

        var jwk = JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(_key.ExportParameters(false)) { KeyId = "k" });
        var keys = new SigningKeys(
            _ => Task.FromResult($$"""{"keys":[{"kty":"RSA","kid":"k","n":"{{jwk.N}}","e":"{{jwk.E}}"}]}"""), TimeProvider.System);
        var tokens = new PersonTokens(auth, Keyring.Parse([Convert.ToBase64String(new byte[32])]), keys,
            new Identities(database.Pools, TimeProvider.System).UserAsync, TimeProvider.System);
        return await tokens.VerifyAsync(Token(issuer, subject), Cancelled);
    }

    /// <summary>As an issuer that knows nothing of Supabase makes it: without a role.</summary>
    private string Token(string issuer, string subject) => new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
    {
        Issuer = issuer,
        Audience = "authenticated",
        Expires = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1),
        Subject = new ClaimsIdentity([new Claim("sub", subject)]),
        SigningCredentials = new SigningCredentials(new RsaSecurityKey(_key) { KeyId = "k" }, SecurityAlgorithms.RsaSha256),
    });
}
