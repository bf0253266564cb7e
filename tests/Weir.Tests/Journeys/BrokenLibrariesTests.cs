using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Identity;
using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A PostgreSQL that is not Weir's own: it loads a library when a session first needs it, and its files may be replaced.</summary>
public sealed class ForeignCluster : TestCluster
{
    internal PostgresCopy Programs { get; private set; } = null!;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Programs.Dispose();
    }

    private protected override IReadOnlyList<string> Settings => [.. base.Settings, "shared_preload_libraries="];

    private protected override async Task<PostgresBinaries?> ProgramsAsync() => (Programs = await PostgresCopy.MakeAsync()).Binaries;
}

/// <summary>PostgreSQL's package was upgraded under a server that Weir may not restart.</summary>
public sealed class BrokenLibrariesTests(ForeignCluster cluster) : IClassFixture<ForeignCluster>, IAsyncLifetime
{
    private readonly RunningWeir _weir = new(cluster);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _weir.InitializeAsync();

    public ValueTask DisposeAsync() => _weir.DisposeAsync();

    [Fact]
    public async Task Requests_are_a_typed_503_that_says_why_readyz_says_so_too_and_all_recover_when_the_server_does()
    {
        var agent = new RawClient(_weir.Client(_weir.World.AgentKey));
        var person = _weir.Client(_weir.Services.GetRequiredService<PersonTokens>().Issue(_weir.World.OwnerId, "owner@example.test"));
        (await agent.ModernAsync("tools/list")).Status.ShouldBe(HttpStatusCode.OK);
        (await person.GetAsync("/rest/v1/organizations", Cancelled)).StatusCode.ShouldBe(HttpStatusCode.OK);

        await cluster.Programs.BreakLibrariesAsync();
        await Until.AsyncTrue(
            async () =>
                (await ReadyAsync()).GetProperty("message").GetString()!.StartsWith(
                    "The database cannot load a library", StringComparison.Ordinal),
            "/readyz says so while the pools' old sessions still work", TimeSpan.FromSeconds(30));
        // Weir's sessions are all new ones now.
        await _weir.Database.Superuser.ExecuteAsync(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'weir-%'", [], Cancelled);

        var call = await Until.AsyncValue(
            async () =>
                await agent.ModernAsync("tools/list") is var a && a.Body.Contains("library", StringComparison.Ordinal)
                    ? (Answer?)new Answer(a) : null);
        call.Of.Status.ShouldBe(HttpStatusCode.ServiceUnavailable);
        call.Of.ErrorCode.ShouldBe(1009);
        call.Of.Json.GetProperty("error").GetProperty("data").GetProperty("retryable").GetBoolean().ShouldBeTrue();
        using var read = await person.GetAsync("/rest/v1/organizations", Cancelled);
        read.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        var error = JsonElement.Parse(await read.Content.ReadAsStringAsync(Cancelled));
        error.GetProperty("code").GetString().ShouldBe("WR009");
        error.GetProperty("message").GetString().ShouldStartWith("The database cannot load a library");
        (await _weir.Client().GetAsync("/healthz", Cancelled)).StatusCode.ShouldBe(HttpStatusCode.OK);

        await cluster.Programs.MendLibrariesAsync();
        await Until.AsyncTrue(async () => (await ReadyAsync()).GetProperty("status").GetString() == "ready", "/readyz");
        await Until.AsyncTrue(async () => (await agent.ModernAsync("tools/list")).Status == HttpStatusCode.OK, "calls");
        (await person.GetAsync("/rest/v1/organizations", Cancelled)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    private async Task<JsonElement> ReadyAsync()
    {
        using var answer = await _weir.Client().GetAsync("/readyz", Cancelled);
        var body = JsonElement.Parse(await answer.Content.ReadAsStringAsync(Cancelled));
        (body.GetProperty("status").GetString() == "ready").ShouldBe(answer.StatusCode == HttpStatusCode.OK);
        return answer.StatusCode == HttpStatusCode.OK ? JsonElement.Parse("""{"status": "ready", "message": ""}""") : body;
    }

    private readonly record struct Answer(RawAnswer Of);
}
