using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests;

/// <summary>A replica that a page and a proxy use.</summary>
public sealed class PublicWeir(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) => config with
    {
        Http = config.Http with { PublicUrl = new Uri("https://weir.example"), AllowedOrigins = ["https://app.example"] },
    };
}

/// <summary>A replica whose clock stands still: no worker of it looks again because time has passed.</summary>
public sealed class FrozenWeir(TestCluster cluster) : RunningWeir(cluster)
{
    private protected override TimeProvider Time { get; } = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
}

/// <summary>Whoever has something to do hears of it.</summary>
public sealed class HintTests(FrozenWeir weir) : IClassFixture<FrozenWeir>
{
    [Fact]
    public async Task A_deployment_is_carried_out_and_its_tools_are_listed_as_soon_as_it_is_written()
    {
        await using var server = await OddServer.StartAsync();
        var id = await weir.World.AddRemoteAsync("hinted", server.Url);
        await Until.AsyncTrue(
            () => weir.Database.Superuser.ScalarAsync<bool>(
                "select exists (select from public.mcp_server_tools where instance_id = $1 and name = 'echo')", [Sql.Uuid(id)],
                CancellationToken.None),
            "the outbox and the catalog are looked at without a clock");
    }
}

/// <summary>What the parts of a replica were given.</summary>
public sealed class WeirHostTests(PublicWeir weir) : IClassFixture<PublicWeir>
{
    [Fact]
    public void No_variable_or_file_of_the_web_framework_is_read() =>
        weir.Services.GetRequiredService<IConfiguration>().AsEnumerable().Select(setting => setting.Key).ShouldNotContain("PATH");

    [Fact]
    public void A_stop_waits_ten_seconds_for_what_is_in_flight() =>
        weir.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout.ShouldBe(TimeSpan.FromSeconds(10));

    [Fact]
    public async Task Other_replicas_find_the_listener_and_not_what_stands_in_front_of_it()
    {
        var urls = await weir.Database.Superuser.QueryAsync(
            "select internal_url from weir.replicas", [], r => r.GetString(0), CancellationToken.None);
        urls.ShouldHaveSingleItem().ShouldStartWith("http://127.0.0.1");
    }

    [Fact]
    public async Task A_page_may_read_the_headers_that_the_protocol_needs()
    {
        using var client = weir.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/mcp");
        request.Headers.Add("Origin", "https://app.example");
        using var response = await client.SendAsync(request);
        response.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        response.Headers.GetValues("Access-Control-Allow-Origin").ShouldBe(["https://app.example"]);
        response.Headers.GetValues("Access-Control-Expose-Headers").Single()
            .ShouldBe("Mcp-Session-Id,WWW-Authenticate,Content-Range,Content-Profile,Preference-Applied,Retry-After");
    }

    [Fact]
    public async Task A_page_that_is_listed_uses_supabase_js()
    {
        using var client = weir.Client();
        using var preflight = new HttpRequestMessage(HttpMethod.Options, "/rest/v1/agents");
        preflight.Headers.Add("Origin", "https://app.example");
        preflight.Headers.Add("Access-Control-Request-Method", "GET");
        preflight.Headers.Add("Access-Control-Request-Headers", "accept-profile,apikey,authorization,prefer,x-client-info,x-retry-count");
        using var allowed = await client.SendAsync(preflight);
        allowed.StatusCode.ShouldBe(HttpStatusCode.NoContent);
        allowed.Headers.GetValues("Access-Control-Allow-Headers").Single()
            .ShouldBe("accept-profile,apikey,authorization,prefer,x-client-info,x-retry-count");

        using var read = new HttpRequestMessage(HttpMethod.Get, "/rest/v1/agents");
        read.Headers.Add("Origin", "https://app.example");
        using var refused = await client.SendAsync(read);
        // Errors too: a page must be able to read why.
        refused.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        refused.Headers.GetValues("Access-Control-Allow-Origin").ShouldBe(["https://app.example"]);
        refused.Headers.GetValues("Access-Control-Expose-Headers").Single().ShouldContain("Content-Range");
    }

    [Fact]
    public async Task A_foreign_page_is_refused()
    {
        using var client = weir.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/mcp");
        request.Headers.Add("Origin", "https://foreign.example");
        using var response = await client.SendAsync(request);
        response.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await response.Content.ReadAsStringAsync()).ShouldContain("\"WR003\"");
    }
}
