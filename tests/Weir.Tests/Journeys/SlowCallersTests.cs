using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Identity;
using Weir.Limits;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Rest;

namespace Weir.Tests.Journeys;

/// <summary>A replica at which one caller may hold 24 MiB; its owner's channel has 12 MB of messages.</summary>
public sealed class SlowCallersWeir(TestCluster cluster) : RunningWeir(cluster)
{
    internal const int MostMegabytes = 24;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Database.Superuser.ExecuteAsync(
            """
            insert into public.chat_messages (organization_id, workspace_id, channel_id, sender, user_id, content)
            select $1, $4, $2, 'user', $3, repeat('x', 60000) from generate_series(1, 170)
            """,
            [Sql.Uuid(World.OrganizationId), Sql.Uuid(World.ChannelId), Sql.Uuid(World.OwnerId), Sql.Uuid(World.WorkspaceId)],
            CancellationToken.None);
    }

    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Limits = config.Limits with { HeldMegabytesPerOrganization = MostMegabytes } };
}

/// <summary>Callers who are known, and who send or read slowly: what is held for them is theirs, and bounded.</summary>
public sealed class SlowCallersTests(SlowCallersWeir weir) : IClassFixture<SlowCallersWeir>
{
    private const int Announced = 4 * 1024 * 1024;

    /// <summary>How many bytes of a body that trickles never come.</summary>
    private const int Missing = 1024;

    private CallerBytes Held => weir.Services.GetRequiredService<CallerBytes>();

    private string Owner => KnownCallers.PersonToken(weir);

    [Theory]
    [InlineData("/mcp")]
    [InlineData("/rest/v1/rpc/create_agent")]
    public async Task F03_bodies_of_a_known_caller_that_trickle_are_refused_beyond_its_bound_and_others_are_read(string path)
    {
        var (bearer, holder) = path == "/mcp"
            ? (weir.World.AgentKey, AgentKey.Parse(weir.World.AgentKey)!.Id)
            : (Owner, Principal.CallerOf(weir.World.OwnerId));
        var bystander = await weir.World.CreateKeyAsync(weir.World.AgentId);
        await Until.True(() => Held.HeldBy(holder) == 0, "what another test has asked for is over");
        var flood = new List<PipelinedConnection>();
        try
        {
            // Each announces 4 MiB, sends most of it, and leaves it at that.
            for (var i = 0; i < SlowCallersWeir.MostMegabytes / 4; i++)
            {
                flood.Add(await TrickleAsync(path, bearer));
            }

            await Until.True(() => Held.HeldBy(holder) >= flood.Count * (Announced - Missing), "all that was sent is held");
            (await BodyProbe.WholeAsync(weir.Url, "POST", path, bearer, Announced)).ShouldBe(429, "one more is refused");

            Held.HeldBy(holder).ShouldBeLessThanOrEqualTo(SlowCallersWeir.MostMegabytes * 1024L * 1024);
            (await BodyProbe.WholeAsync(weir.Url, "POST", "/mcp", bystander, Announced)).ShouldBe(400, "somebody else's body is read");
            (await BodyProbe.WholeAsync(weir.Url, "POST", path, bearer, 10)).ShouldBe(400, "and of the same caller what comes at once");
        }
        finally
        {
            flood.ForEach(c => c.Dispose());
        }

        await Until.True(() => Held.HeldBy(holder) == 0, "everything is given back");
    }

    [Fact]
    public async Task F05_answers_that_a_person_does_not_read_are_theirs_and_bounded_and_others_get_theirs()
    {
        var holder = Principal.CallerOf(weir.World.OwnerId);
        var other = weir.Services.GetRequiredService<PersonTokens>()
            .Issue(await World.CreateUserAsync(weir.Database), "other@example.test");
        var flood = new List<PipelinedConnection>();
        try
        {
            for (var i = 0; i < 2; i++)
            {
                flood.Add(await AskAsync("/rest/v1/chat_messages?select=content", Owner));
            }

            await Until.True(() => Held.HeldBy(holder) > 20_000_000, "two answers wait for their reader");

            (await weir.SendAsync(HttpMethod.Get, "chat_messages?select=content", null, Owner)).ShouldBeError(
                HttpStatusCode.TooManyRequests, "WR008");
            (await weir.SendAsync(HttpMethod.Get, "chat_messages?select=id", null, Owner)).Status.ShouldBe(
                HttpStatusCode.OK, "a small one is not counted");
            (await weir.SendAsync(HttpMethod.Get, "agents?select=id", null, other)).Status.ShouldBe(HttpStatusCode.OK);
        }
        finally
        {
            flood.ForEach(c => c.Dispose());
        }

        await Until.True(() => Held.HeldBy(holder) == 0, "everything is given back");
        (await weir.SendAsync(HttpMethod.Get, "chat_messages?select=content", null, Owner)).Status.ShouldBe(HttpStatusCode.OK);
    }

    private async Task<PipelinedConnection> TrickleAsync(string path, string bearer)
    {
        var connection = await PipelinedConnection.OpenAsync(weir.Url.Port);
        await connection.SendAsync(
            [new FuzzedRequest(Head("POST", path, bearer, $"Content-Length: {Announced}\r\n"), new byte[Announced - Missing])],
            CancellationToken.None);
        return connection;
    }

    private async Task<PipelinedConnection> AskAsync(string path, string bearer)
    {
        var connection = await PipelinedConnection.OpenAsync(weir.Url.Port);
        await connection.SendAsync([new FuzzedRequest(Head("GET", path, bearer, ""), [])], CancellationToken.None);
        return connection;
    }

    private string Head(string method, string path, string bearer, string framing) =>
        $"{method} {path} HTTP/1.1\r\nHost: {weir.Url.Authority}\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json\r\n"
        + $"Accept: application/json, text/event-stream\r\n{framing}\r\n";
}
