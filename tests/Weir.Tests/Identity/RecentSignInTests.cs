using System.Net;
using System.Net.Http.Json;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Weir.Configuration;
using Weir.Identity;
using Weir.Keys;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Rest;

namespace Weir.Tests.Identity;

/// <summary>A replica with a published function that answers whether the caller signed in recently.</summary>
public class ProbedWeir(TestCluster cluster) : RunningWeir(cluster)
{
    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Database.Superuser.ExecuteAsync(
            """
            create function weir.probe() returns boolean language sql stable security definer set search_path = pg_catalog, pg_temp
            as 'select weir.signed_in_recently()';
            alter function weir.probe() owner to weir_writer;
            create function public.probe() returns boolean language sql stable return weir.probe();
            revoke all on function weir.probe(), public.probe() from public;
            grant execute on function weir.probe(), public.probe() to authenticated;
            """,
            [], CancellationToken.None);
    }

    internal async Task<bool> IsRecentAsync(string token)
    {
        var reply = await this.SendAsync(HttpMethod.Post, "rpc/probe", "{}", token);
        reply.Status.ShouldBe(HttpStatusCode.OK, reply.Body);
        return reply.Json.GetBoolean();
    }
}

/// <summary>The same on a Supabase project's database, whose own issuer signs people in.</summary>
public sealed class ProbedSupabaseWeir(SupabaseCluster cluster) : ProbedWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Auth = new AuthConfig { JwtSecret = SupabaseProject.JwtSecret, Issuer = SupabaseProject.Issuer } };
}

/// <summary>What wants a recent sign-in, where Weir is the issuer: the time is the sign-in's own, and ends with it.</summary>
public sealed class RecentSignInTests(ProbedWeir weir) : IClassFixture<ProbedWeir>
{
    private const string Password = "a password for tests";

    [Fact]
    public async Task A_sign_in_is_recent_for_15_minutes_and_a_refresh_does_not_make_it_so_again()
    {
        var (user, session) = await SignInAsync();
        (await weir.IsRecentAsync(AccessToken(session))).ShouldBeTrue();
        var refreshed = await RefreshAsync(session);
        (await weir.IsRecentAsync(AccessToken(refreshed))).ShouldBeTrue();

        await weir.Database.Superuser.ExecuteAsync(
            "update weir.sign_ins set created_at = created_at - interval '16 minutes' where user_id = $1", [Sql.Uuid(user)],
            CancellationToken.None);

        (await weir.IsRecentAsync(AccessToken(await RefreshAsync(refreshed)))).ShouldBeFalse();
    }

    [Fact]
    public async Task A_token_of_a_sign_in_that_has_ended_is_not_of_a_recent_one()
    {
        var (_, session) = await SignInAsync();
        using var client = weir.Client(AccessToken(session));
        using var left = await client.PostAsync("/auth/v1/logout?scope=local", null);
        left.StatusCode.ShouldBe(HttpStatusCode.NoContent);

        (await weir.IsRecentAsync(AccessToken(session))).ShouldBeFalse();
    }

    [Fact]
    public async Task A_token_that_names_no_sign_in_is_not_of_a_recent_one() =>
        (await weir.IsRecentAsync(KnownCallers.PersonToken(weir))).ShouldBeFalse();

    private async Task<(Guid User, JsonElement Session)> SignInAsync()
    {
        var email = $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.test";
        var user = await weir.Database.Owner.ScalarAsync<Guid>(
            "select weir.create_user($1, $2)", [Sql.Text(email), Sql.Text(Logins.Hash(Password))], CancellationToken.None);
        return (user, await PostAsync("token?grant_type=password", new { email, password = Password }));
    }

    private Task<JsonElement> RefreshAsync(JsonElement session) =>
        PostAsync("token?grant_type=refresh_token", new { refresh_token = session.GetProperty("refresh_token").GetString() });

    private async Task<JsonElement> PostAsync(string path, object body)
    {
        using var client = weir.Client();
        using var response = await client.PostAsJsonAsync("/auth/v1/" + path, body);
        response.StatusCode.ShouldBe(HttpStatusCode.OK);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static string AccessToken(JsonElement session) => session.GetProperty("access_token").GetString()!;
}

/// <summary>The same where another issuer signs people in: <c>auth_time</c>, or the newest <c>amr</c>, or never.</summary>
public sealed class RecentSignInElsewhereTests(ProbedSupabaseWeir weir) : IClassFixture<ProbedSupabaseWeir>
{
    private static readonly long Now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    [Fact]
    public async Task A_sign_in_is_recent_by_auth_time_or_the_newest_amr_and_by_nothing_else()
    {
        (await weir.IsRecentAsync(Token(AuthTime(Now - 60)))).ShouldBeTrue();
        (await weir.IsRecentAsync(Token(AuthTime(Now - 1000)))).ShouldBeFalse();
        (await weir.IsRecentAsync(Token(Amr(("password", Now - 5000), ("totp", Now - 60))))).ShouldBeTrue();
        (await weir.IsRecentAsync(Token(Amr(("password", Now - 5000), ("totp", Now - 1000))))).ShouldBeFalse();
        (await weir.IsRecentAsync(
            Token(new Claim("session_id", $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow())}"),
                Amr(("password", Now))))).ShouldBeTrue("a session of theirs is no sign-in of ours");
        (await weir.IsRecentAsync(Token())).ShouldBeFalse("the time of issue says nothing");
    }

    [Theory]
    [InlineData("""["pwd","otp"]""")]
    [InlineData("""[{"method":"token_refresh","timestamp":NOW}]""")]
    [InlineData("""[{"method":"password","timestamp":"NOW"}]""")]
    [InlineData("""[{"method":"password"},7,null,[NOW]]""")]
    [InlineData("""[{"method":"password","timestamp":1e999}]""")]
    [InlineData("""{"timestamp":"NOW"}""")]
    [InlineData("[]")]
    [InlineData("NOW")]
    public async Task An_amr_that_has_no_time_of_a_sign_in_gives_none(string amr)
    {
        var tokens = new PersonTokens(new AuthConfig { JwtSecret = SupabaseProject.JwtSecret },
            Keyring.Parse([Convert.ToBase64String(new byte[32])]), null, null, TimeProvider.System);
        var read = await tokens.ReadAsync(
            Raw($$"""{"aud":"authenticated","exp":{{Now
                + 600}},"iat":{{Now}},"sub":"{{Guid.CreateVersion7(
                    TimeProvider.System.GetUtcNow())}}","role":"authenticated","amr":{{amr.Replace("NOW", $"{Now}")}}}"""),
                    CancellationToken.None);

        read.Kind.ShouldBe(TokenKind.Person);
        read.SignIn.ShouldBeNull();
    }

    private static Claim AuthTime(long seconds) => new("auth_time", $"{seconds}", ClaimValueTypes.Integer64);

    private static Claim Amr(params (string Method, long Time)[] methods) => new(
        "amr", JsonSerializer.Serialize(methods.Select(m => new { method = m.Method, timestamp = m.Time })), JsonClaimValueTypes.JsonArray);

    private string Token(params Claim[] claims)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = SupabaseProject.Issuer,
            Audience = "authenticated",
            IssuedAt = now,
            Expires = now.AddHours(1),
            Subject = new ClaimsIdentity([new Claim("sub", $"{weir.World.OwnerId}"), new Claim("role", "authenticated"), .. claims]),
            SigningCredentials = new SigningCredentials(
                new SymmetricSecurityKey(Encoding.UTF8.GetBytes(SupabaseProject.JwtSecret)), SecurityAlgorithms.HmacSha256),
        });
    }

    private static string Raw(string payload)
    {
        var text = $"{Base64UrlEncoder.Encode("""{"alg":"HS256","typ":"JWT"}""")}.{Base64UrlEncoder.Encode(payload)}";
        var signature = System.Security.Cryptography.HMACSHA256.HashData(
            Encoding.UTF8.GetBytes(SupabaseProject.JwtSecret), Encoding.ASCII.GetBytes(text));
        return $"{text}.{Base64UrlEncoder.Encode(signature)}";
    }
}
