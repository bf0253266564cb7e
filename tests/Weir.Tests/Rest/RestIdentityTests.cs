using System.Net;
using System.Security.Claims;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Weir.Configuration;
using Weir.Identity;
using Weir.Keys;
using Weir.Postgres;
using Weir.Rest;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Rest;

/// <summary>Who asks, and that identity and work travel together.</summary>
public sealed class RestIdentityTests(RestWorld weir) : IClassFixture<RestWorld>
{
    [Fact]
    public async Task Nobody_is_anon_with_the_anon_key_as_without_a_token()
    {
        foreach (var token in new[] { "", weir.AnonKey })
        {
            var table = await weir.SendAsync(HttpMethod.Get, "agents", null, token, ("apikey", weir.AnonKey));
            table.ShouldBeError(HttpStatusCode.Unauthorized, "42501");
            table.Headers["WWW-Authenticate"].ShouldBe("Bearer");
            (await weir.SendAsync(HttpMethod.Post, "rpc/create_organization", """{"name": "x"}""", token)).ShouldBeError(
                HttpStatusCode.Unauthorized, "42501");
        }
    }

    [Fact]
    public async Task A_person_sees_their_own_whatever_the_apikey_says()
    {
        (await weir.GetAsync("organizations?select=id", null, ("apikey", "anything"))).Column("id")
            .ShouldBe([$"{weir.World.OrganizationId}"]);
        (await weir.GetAsync("organizations?select=id", weir.OtherToken, ("apikey", weir.OwnerToken))).Column("id")
            .ShouldBe([$"{weir.OtherOrganizationId}"]);
    }

    [Fact]
    public async Task A_token_that_has_expired_says_so_and_one_that_is_not_ours_is_invalid()
    {
        var past = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(TimeProvider.System.GetUtcNow() - TimeSpan.FromHours(3));
        var expired = new PersonTokens(new AuthConfig(), weir.Services.GetRequiredService<Keyring>(), null, null, past).Issue(
            weir.World.OwnerId, "x@example.test");
        var foreign = new PersonTokens(new AuthConfig { JwtSecret = new string('k', 40) }, weir.Services.GetRequiredService<Keyring>(),
            null, null, TimeProvider.System);

        (await weir.GetAsync("agents", expired)).ShouldBeError(HttpStatusCode.Unauthorized, "PGRST303");
        foreach (var token in new[]
        {
            "x",
            "a.b.c",
            weir.OwnerToken[..^2] + "xx",
            weir.World.AgentKey,
            Token("authenticated", secret: new string('k', 40)),
            Token("weir_engine"),
            Token("postgres"),
            Token(null),
        })
        {
            var reply = await weir.GetAsync("agents", token);
            reply.ShouldBeError(HttpStatusCode.Unauthorized, "PGRST301");
            reply.Headers["WWW-Authenticate"].ShouldStartWith("Bearer error=\"invalid_token\"");
        }

        foreign.IsEmbedded.ShouldBeFalse();
    }

    [Fact]
    public async Task The_service_role_is_refused()
    {
        (await weir.GetAsync("agents", Token("service_role"))).ShouldBeError(HttpStatusCode.Forbidden, "42501");
        (await weir.RpcAsync("create_organization", """{"name": "x"}""", Token("service_role"))).ShouldBeError(
            HttpStatusCode.Forbidden, "42501");
    }

    [Fact]
    public async Task A_key_of_a_project_names_no_audience_and_is_anon() =>
    (await weir.GetAsync("agents", Token("anon", audience: null, issuer: "supabase"))).ShouldBeError(HttpStatusCode.Unauthorized, "42501");

    [Fact]
    public async Task A08_a_person_of_another_issuer_or_audience_is_nobody()
    {
        (await weir.GetAsync("agents", Token("authenticated", audience: "elsewhere"))).ShouldBeError(
            HttpStatusCode.Unauthorized, "PGRST301");
        (await weir.GetAsync("agents", Token("authenticated", issuer: "elsewhere"))).ShouldBeError(HttpStatusCode.Unauthorized, "PGRST301");
        (await weir.GetAsync("agents", Token("authenticated"))).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Identity_bounds_and_work_are_one_round_trip()
    {
        using var wire = new CountingGate(weir.Database.Cluster.Postgres.Port);
        var url = DatabaseUrl.Parse(weir.Database.GatewayUrl);
        (url.Host, url.Port, url.SslMode) = ("127.0.0.1", wire.Port, Npgsql.SslMode.Disable);
        await using var pool = Npgsql.NpgsqlDataSource.Create(url.ConnectionString + ";Maximum Pool Size=1;No Reset On Close=true");
        var queries = new RestQueries(weir.Database.Pools, new UserSession(pool), new RestConfig());
        var api = new RestApi(new PublishedApis(queries, TimeProvider.System), queries,
            RestLimits.ShareOf(new RestConfig(), TimeProvider.System), new RestConfig());
        var call = new RestCall(weir.World.OwnerId, [KeyValuePair.Create("name", "eq.c01")], null, new RestFormat(RestShape.Array, false),
            Count: true, ReadOnly: true);
        await api.ReadAsync("chat_channels", call, CancellationToken.None);

        var before = wire.Syncs;
        var answer = await api.ReadAsync("chat_channels", call, CancellationToken.None);

        answer.ContentRange.ShouldBe("0-0/1");
        (wire.Syncs - before).ShouldBe(1);
    }

    /// <summary>Signed as the embedded issuer signs.</summary>
    private string Token(
        string? role, string? audience = "authenticated", string issuer = PersonTokens.EmbeddedIssuer, string? secret = null)
    {
        var key = secret is null
            ? weir.Services.GetRequiredService<Keyring>().DeriveKey("auth/jwt") : System.Text.Encoding.UTF8.GetBytes(secret);
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            Expires = now.AddHours(1),
            IssuedAt = now,
            NotBefore = now,
            Subject = new ClaimsIdentity(
                [new Claim("sub", $"{weir.World.OwnerId}"), .. role is null ? Array.Empty<Claim>() : [new Claim("role", role)]]),
            SigningCredentials = new SigningCredentials(new SymmetricSecurityKey(key), SecurityAlgorithms.HmacSha256),
        });
    }
}
