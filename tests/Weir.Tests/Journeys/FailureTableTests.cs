using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Weir.Errors;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Tests.Chat;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica with a node whose npm fails as the package's name says, with short timeouts.</summary>
public sealed class FailingWeir(TestCluster cluster) : RunningWeir(cluster)
{
    internal const string Secret = "secret-that-was-printed";

    private const string Npm = $"""
        #!/bin/sh
        for last; do :; done
        echo "npm error {Secret}" >&2
        case $last in
          gone@*) echo "npm error code E404" >&2 ;;
          offline@*) echo "npm error code ECONNREFUSED" >&2 ;;
          slow@*) exec sleep 600 ;;
          hollow@*) exit 0 ;;
          *) echo "npm error code EINTEGRITY" >&2 ;;
        esac
        exit 1
        """;

    private readonly string _npm = Path.Combine(Directory.CreateTempSubdirectory("weir-npm-").FullName, "npm");

    internal NodeHost Node { get; private set; } = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await File.WriteAllTextAsync(_npm, Npm);
        File.SetUnixFileMode(_npm, (UnixFileMode)0b111_101_101);
        var token = await Services.GetRequiredService<NodeRegistry>()
            .IssueTokenAsync("failing", region: null, TimeSpan.FromMinutes(3), CancellationToken.None);
        Node = await NodeHost.StartAsync(
            ["--weir-url", Url.ToString(), "--token", token, "--npm", _npm, "--install-timeout", "1", "--handshake-timeout", "5"]);
        AddPackage("manifest", "not JSON");
        AddPackage("bare", """{"name":"bare","version":"1.0.0"}""");
        AddPackage("many", """{"name":"many","version":"1.0.0","bin":{"one":"one.js","two":"two.js","secret that was printed":"x.js"}}""");
        AddPackage("lost", """{"name":"lost","version":"1.0.0","bin":{"lost":"secret-that-was-printed.js"}}""");
    }

    public override async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        await base.DisposeAsync();
        Directory.Delete(Path.GetDirectoryName(_npm)!, recursive: true);
    }

    /// <summary>A directory of packages that exists is taken to be installed.</summary>
    private void AddPackage(string name, string manifest)
    {
        var directory = Path.Combine(Node.Data, "packages", $"{name}@1.0.0", "node_modules", name);
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "package.json"), manifest);
    }
}

/// <summary>
/// Each way in which a server can fail: its own code, a sentence of Weir's own, nothing that anybody printed, and no waiting where that is
/// of no use.
/// </summary>
public sealed class FailureTableTests(FailingWeir weir) : IClassFixture<FailingWeir>
{
    /// <summary>From the deployment to `failed`, by the database's clock, where another attempt would be of no use.</summary>
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(5);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>The way; the code; words of the sentence for admins; whether it is tried again.</summary>
    public static TheoryData<string, string, string, bool> Ways => new()
    {
        // Connecting to a remote server.
        { "url http://refused.example.org/mcp", "scheme_not_allowed", "https", false },
        { "url https://10.0.0.1/mcp", "address_not_allowed", "not on the public internet", false },
        { "closed port", "connection_refused", "Nothing listens", true },
        { "no tls", "tls_failed", "certificate", false },
        { "status drop", "connection_failed", "broke", true },

        // What it answers.
        { "status 401", "unauthorized", "401", false },
        { "status 403", "access_denied", "403", false },
        { "status 404", "endpoint_not_found", "404", false },
        { "status 429", "rate_limited", "429", true },
        { "status 503", "server_unavailable", "503", true },
        { "status 500", "server_error", "500", true },
        { "status 307", "redirected", "307", false },
        { "status 418", "http_error", "418", false },
        { "html", "not_mcp", "", false },
        { "rpc", "request_refused", "initialize", true },
        { "version", "version_not_supported", "version", false },

        // Installing a package.
        { "package gone", "package_not_found", "gone@1.0.0", false },
        { "package offline", "registry_unreachable", "offline@1.0.0", false },
        { "package slow", "install_timed_out", "within 1 s", false },
        { "package corrupt", "package_install_failed", "corrupt@1.0.0", false },
        { "package hollow", "package_install_failed", "not there", false },
        { "package manifest", "package_invalid", "manifest@1.0.0", false },
        { "package bare", "executable_missing", "no executables", false },
        { "package lost", "executable_missing", "not in the package", false },
        { "package many", "executable_missing", "one, two", false },

        // Starting a process.
        { "template", "template_invalid", "${config.vice}", false },
        { "vice crash", "exited_at_start", "exit code 3", false },
        { "vice old", "version_not_supported", "2024-10-07", false },
        { "vice odd-version", "version_not_supported", "no protocol version of MCP", false },
        { "vice refuses", "request_refused", "initialize", false },
        { "vice no-object", "protocol_error", "not an object", false },
        { "vice no-list", "listing_refused", "tools/list", false },
        { "vice silent", "handshake_timed_out", "within 5 s", true },
        { "vice slow-list", "listing_timed_out", "within 5 s", true },
    };

    [Fact]
    public void The_table_has_more_than_twenty_codes_each_with_its_own_sentence()
    {
        var codes = Ways.Select(w => w.Data.Item2).Distinct().ToArray();
        codes.Length.ShouldBeGreaterThanOrEqualTo(20);
        codes.Select(FailureCodes.Sentence).Distinct().Count().ShouldBe(codes.Length);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_server_that_fails_says_why_and_at_once_where_waiting_is_of_no_use(
    string way, string code, string words, bool isTriedAgain)
    {
        await using var server = await ScriptedServer.StartAsync((http, request) => AnswerAsync(http, request, way));
        var id = await DeployAsync(way, server);

        await Until.AsyncTrue(async () => await TextAsync("last_error_code", id) is not null, $"{way} says why");
        var status = await TextAsync("status", id);
        if (isTriedAgain)
        {
            status.ShouldBe("deploying");
        }
        else
        {
            await Until.AsyncTrue(async () => (status = await TextAsync("status", id)) == "failed", $"{way} is failed");
            (await AttemptsAsync(id, code)).ShouldBe(1);
            // Longer where more programs than the machine has processors want to run.
            (await TookAsync(id)).ShouldBeLessThan(AtOnce * Math.Max(1, LoadOfEachProcessor()));
        }

        (await TextAsync("last_error_code", id)).ShouldBe(code);
        var error = (await TextAsync("last_error", id))!;
        error.ShouldContain(words);
        error.ShouldNotContain(FailingWeir.Secret);
        error.ShouldNotContain("secret that");
        var log = await weir.Database.Superuser.ScalarAsync<string>(
            "select string_agg(coalesce(detail, ''), ' ') from public.mcp_interaction_logs where instance_id = $1 and kind = 'lifecycle'",
            [Sql.Uuid(id)], Token);
        log!.ShouldNotContain(FailingWeir.Secret);
        if (!isTriedAgain)
        {
            log!.ShouldContain($"{code}: ");
        }
    }

    /// <summary>Of the operation, or of the starts that the node's log tells of.</summary>
    private async Task<int> AttemptsAsync(Guid id, string code)
    {
        var asked = await weir.Database.Superuser.ScalarAsync<int>(
            "select max(attempt) from weir.dtma_operations where instance_id = $1", [Sql.Uuid(id)], Token);
        using var response = await weir.Node.Http.GetAsync($"v1/servers/{id}/logs", Token);
        var started = response.IsSuccessStatusCode
            ? (await response.Content.ReadFromJsonAsync(NodeJson.Default.LogLines, Token))!.Lines.Count(
                l => l.Source == "node" && l.Text.StartsWith($"{code}: ", StringComparison.Ordinal))
            : 0;
        return Math.Max(asked, started);
    }

    private static double LoadOfEachProcessor() =>
        double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) / Environment.ProcessorCount;

    [Fact]
    public async Task A_server_that_ran_and_that_Weir_refuses_now_is_degraded_with_the_reason()
    {
        await using var server = await FixtureServer.StartAsync(FixtureServer.Tool("look", () => "x"));
        var (_, id) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");

        // As if its name had another address now.
        await weir.Database.Superuser.ExecuteAsync(
            "update public.mcp_server_instances set url = 'https://10.0.0.1/mcp' where id = $1", [Sql.Uuid(id)], Token);
        await weir.Database.Superuser.ExecuteAsync("select weir.refresh_soon($1)", [Sql.Uuid(id)], Token);

        await Until.AsyncTrue(async () => await TextAsync("status", id) == "degraded", "it is degraded");
        (await TextAsync("last_error_code", id)).ShouldBe("address_not_allowed");
    }

    /// <summary>From the intent to the row of the audit log that says that it failed.</summary>
    private Task<TimeSpan> TookAsync(Guid id) => weir.Database.Superuser.ScalarAsync<TimeSpan>(
        """
        select min(l.created_at) - (select min(o.created_at) from weir.dtma_operations o where o.instance_id = $1)
        from public.mcp_interaction_logs l where l.instance_id = $1 and l.kind = 'lifecycle' and l.outcome = 'failed'
        """, [Sql.Uuid(id)], Token);

    private async Task<Guid> DeployAsync(string way, ScriptedServer server)
    {
        var name = "f" + Guid.NewGuidForTests().ToString("N")[18..];
        var (kind, rest) = way.Split(' ', 2) is [var first, var second] ? (first, second) : (way, "");
        return kind switch
        {
            "url" => await weir.World.AddRemoteAsync(name, new Uri(rest)),
            "closed" =>
                await weir.World.AddRemoteAsync(
                    name, new Uri($"http://127.0.0.1:{ClosedPort().ToString(CultureInfo.InvariantCulture)}/mcp")),
            "no" => await weir.World.AddRemoteAsync(name, new UriBuilder(server.Url) { Scheme = "https" }.Uri),
            "package" => await DeployEntryAsync(name, rest, bin: rest == "lost" ? "lost" : "server", vice: "none"),
            "vice" => await DeployEntryAsync(name, "weir-fixture", "weir-fixture", rest),
            "template" => await DeployEntryAsync(name, "weir-fixture", "weir-fixture", vice: null),
            _ => await weir.World.AddRemoteAsync(name, server.Url),
        };
    }

    private async Task<Guid> DeployEntryAsync(string name, string package, string bin, string? vice)
    {
        var entry = new
        {
            slug = name, display_name = name, transport = "stdio", runtime = "process", package, version = "1.0.0", bin,
            args = new[] { "${config.vice}" },
            configuration_schema = new { type = "object", properties = new { vice = new { type = "string" } } },
        };
        await weir.Database.Owner.ScalarAsync<Guid>(
            "select weir.publish_catalog_server($1)", [Sql.Jsonb(JsonSerializer.Serialize(entry))], Token);
        var config = vice is null ? "{}" : JsonSerializer.Serialize(new { vice });
        return await weir.World.AddCatalogAsync(name, name, config);
    }

    private static int ClosedPort()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        return ((IPEndPoint)free.LocalEndpoint).Port;
    }

    private static Task AnswerAsync(HttpContext http, ScriptedRequest request, string way)
    {
        const string Html = $"<html>{FailingWeir.Secret}</html>";
        http.Response.Headers.Location = "https://example.org/" + FailingWeir.Secret;
        switch (way)
        {
            case "status drop":
                http.Abort();
                return Task.CompletedTask;
            case "html":
                return ScriptedServer.WriteAsync(http, Html, type: "text/html");
            case "rpc":
                return ScriptedServer.WriteAsync(
                    http, ScriptedServer.Error(request.Id, $$"""{"code":-32099,"message":"{{FailingWeir.Secret}}"}"""));
            case "version":
                return ScriptedServer.WriteAsync(http, ScriptedServer.Result(
                    request,
                    $$"""{"protocolVersion":"{{FailingWeir.Secret}}","capabilities":{},"serverInfo":{"name":"x","version":"1"} }"""));
            default:
                return way.StartsWith("status ", StringComparison.Ordinal)
                    ? ScriptedServer.WriteAsync(http, Html, int.Parse(way[7..], CultureInfo.InvariantCulture), "text/html")
                    : ScriptedServer.WriteAsync(http, "{}");
        }
    }

    private Task<string?> TextAsync(string column, Guid id) => weir.Database.Superuser.ScalarAsync<string?>(
        $"select {column} from public.mcp_server_instances where id = $1", [Sql.Uuid(id)], Token);
}
